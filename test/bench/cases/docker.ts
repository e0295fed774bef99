import { Sandbox } from "@tidybox/client";
import Docker from "dockerode";
import { bareDocker, type DockerPhases } from "../bare-docker.ts";
import { sideBySide, summarize } from "../measure.ts";
import { type Result, describeSample } from "../report.ts";
import { startService } from "../service.ts";

const IMAGE = "python:3.11";

/**
 * Create, running, one exec, removed, with the engine docker over the wire, against dockerode alone
 * with the same image and options. Needs a daemon with the image: DOCKER_HOST or the usual socket.
 */
export async function docker(rounds: number): Promise<readonly Result[]> {
  const api = new Docker();
  const missing = await api
    .getImage(IMAGE)
    .inspect()
    .then(
      () => undefined,
      (error: Error) => error.message,
    );
  if (missing !== undefined) {
    process.stderr.write(
      `docker: skipped, no Docker with the image ${IMAGE} (${missing}); start one, or name it by DOCKER_HOST\n`,
    );
    return [];
  }
  await using service = await startService("docker");
  const ours = async (): Promise<DockerPhases> => {
    const started = performance.now();
    const sandbox = await Sandbox.run({
      connection: service.connection,
      containerImage: IMAGE,
      network: { denyEgress: true },
    });
    const created = performance.now();
    await sandbox.exec(["true"], { check: true });
    const executed = performance.now();
    await sandbox.stop({ gracefulShutdownSeconds: 0 });
    await gone(api, sandbox.id);
    const removed = performance.now();
    return { create: created - started, exec: executed - created, remove: removed - executed };
  };
  const [wirePhases, barePhases] = [new Phases(), new Phases()];
  const samples = await sideBySide(
    [
      { name: "create, exec, remove over the wire", once: wirePhases.timed(ours) },
      { name: "dockerode alone", once: barePhases.timed(() => bareDocker(api, IMAGE)) },
    ],
    rounds,
    3,
  );
  const [wire, bare] = samples;
  return [
    {
      name: "docker: create → running → exec → removed, against dockerode alone",
      value: (wire?.medianMs ?? Number.NaN) / (bare?.medianMs ?? Number.NaN),
      unit: "×",
      limit: 1.1,
      figures: [
        ...samples.map(describeSample),
        `over the wire: ${wirePhases.toString()}`,
        `dockerode alone: ${barePhases.toString()}`,
      ],
      samples,
    },
  ];
}

/** The parts of many runs. */
class Phases {
  readonly #runs: DockerPhases[] = [];

  timed(once: () => Promise<DockerPhases>): () => Promise<number> {
    return async () => {
      const phases = await once();
      this.#runs.push(phases);
      return phases.create + phases.exec + phases.remove;
    };
  }

  toString(): string {
    return (["create", "exec", "remove"] as const)
      .map((phase) => {
        const times = this.#runs.map((run) => run[phase]);
        return `${phase} ${summarize(phase, times).medianMs.toFixed(2)} ms`;
      })
      .join(", ");
  }
}

/** The service removes a container after it has told that the sandbox ended: that counts too. */
async function gone(api: Docker, sandboxId: string): Promise<void> {
  for (;;) {
    try {
      await api.getContainer(`tidybox-${sandboxId}`).inspect();
    } catch (error) {
      if (error instanceof Error && Reflect.get(error, "statusCode") === 404) return;
      throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

import { basename } from "node:path";
import type { Socket } from "node:net";
import type { Container } from "dockerode";
import type { Engine, EngineRefusal, EngineSandbox, SandboxPlan } from "../engine.ts";
import {
  diskVolumes,
  mountsOf,
  restoreDiskVolumes,
  restoreMemoryVolumes,
  volumeName,
} from "./container-volumes.ts";
import { type DockerConnection, DockerCallError } from "./docker-connection.ts";
import { DockerImages } from "./docker-images.ts";
import { removeAllOf, removeContainer, removeVolume } from "./docker-leftovers.ts";
import { DockerSandbox } from "./docker-sandbox.ts";
import { ownerLabels, SANDBOX_LABEL } from "./owner-label.ts";
import { shell, WAIT } from "./shell-scripts.ts";
import { tarOf } from "./tar-archive.ts";

/** Enough for any test; a fork bomb stops here, and not at the machine's own limit. */
const MAX_PROCESSES = 4096;

const NANOS = 1e9;

export interface DockerEngineOptions {
  readonly docker: DockerConnection;
  readonly stateFolder: string;
  /** Of the machine that the containers run on. */
  readonly cpus: number;
  /** Image name to the name that Docker has for it. */
  readonly images: Readonly<Record<string, string>>;
}

/** One container for each sandbox, which lives exactly as long as this service holds its input. */
export class DockerEngine implements Engine {
  readonly name = "docker";
  readonly hasVolumes = true;
  readonly enforces = ["cpu", "memory"] as const;
  readonly #options: DockerEngineOptions;
  readonly #images: DockerImages;
  readonly #labels: Readonly<Record<string, string>>;
  readonly #service: string;
  readonly #removals = new Set<Promise<void>>();
  /** Images that are known to have a shell. */
  readonly #withShell = new Set<string>();

  constructor(options: DockerEngineOptions) {
    this.#options = options;
    this.#images = new DockerImages(options.docker);
    this.#service = basename(options.stateFolder);
    this.#labels = ownerLabels(this.#service);
  }

  refusal(plan: SandboxPlan): EngineRefusal | undefined {
    if (plan.mounts.some(({ subPath }) => subPath !== "")) {
      return {
        kind: "wrong_engine",
        field: "sandbox.spec.containers[0].volume_mounts",
        message:
          'the engine "docker" cannot mount a part of a volume (sub_path): use the engine "bubblewrap", or mount the whole volume.',
      };
    }
    const readOnly = plan.restores.find(({ volume }) => {
      const mounts = plan.mounts.filter((mount) => mount.volume === volume);
      return mounts.length > 0 && mounts.every((mount) => mount.readOnly);
    });
    if (readOnly === undefined) return undefined;
    return {
      kind: "wrong_engine",
      field: "sandbox.spec.volumes",
      message:
        `the engine "docker" cannot restore a volume that is only mounted read-only (${readOnly.volume}): ` +
        'use the engine "bubblewrap", or mount it writable.',
    };
  }

  async start(plan: SandboxPlan): Promise<EngineSandbox> {
    const { docker } = this.#options;
    let container: Container | undefined;
    try {
      await this.#createVolumes(plan);
      container = await this.#create(plan);
      await this.#fill(container, plan);
      const sandbox = await this.#run(container, plan);
      void sandbox.ended.then(() => this.#removeLater(plan, container));
      try {
        await restoreMemoryVolumes(sandbox, plan);
        for (const { path, content } of plan.files) {
          if (isInMemory(plan, path)) await sandbox.writeFile(path, content);
        }
      } catch (error) {
        await sandbox.stop().catch(() => {});
        throw error;
      }
      return sandbox;
    } catch (error) {
      // Failing twice must not hide why; what stays is removed when the service closes.
      if (container !== undefined) await removeContainer(docker, container.id).catch(() => {});
      this.#removeLater(plan, undefined);
      throw error;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#removals);
    const left = await removeAllOf(this.#options.docker, this.#service);
    if (left.length > 0) throw new Error(left.join("; "));
  }

  async #createVolumes(plan: SandboxPlan): Promise<void> {
    const { docker } = this.#options;
    for (const volume of diskVolumes(plan)) {
      await docker.call("make a volume", (options) =>
        docker.api.createVolume({
          ...options,
          Name: volumeName(plan.id, volume),
          Labels: { ...this.#labels, [SANDBOX_LABEL]: plan.id },
        }),
      );
    }
  }

  #create(plan: SandboxPlan): Promise<Container> {
    const { docker, images, cpus } = this.#options;
    const image = images[plan.image] ?? plan.image;
    const { memoryLimitBytes: memoryBytes, cpuLimitCores: cpuCores } = plan;
    return this.#images.with(image, () =>
      docker.call(`make a container of the image ${JSON.stringify(image)}`, (options) =>
        docker.api.createContainer({
          ...options,
          name: `tidybox-${plan.id}`,
          Image: image,
          Entrypoint: [...shell(WAIT)],
          Cmd: [],
          Env: Object.entries(plan.environment).map(([name, value]) => `${name}=${value}`),
          WorkingDir: plan.workingDirectory,
          OpenStdin: true,
          // Its input ends with the first one who holds it, and that is this service.
          StdinOnce: true,
          AttachStdin: true,
          NetworkDisabled: false,
          Labels: { ...this.#labels, [SANDBOX_LABEL]: plan.id },
          HostConfig: {
            Init: true,
            Mounts: mountsOf(plan),
            PidsLimit: MAX_PROCESSES,
            SecurityOpt: ["no-new-privileges"],
            LogConfig: { Type: "none", Config: {} },
            ...(plan.denyEgress && { NetworkMode: "none" }),
            ...(memoryBytes !== undefined && { Memory: memoryBytes, MemorySwap: memoryBytes }),
            ...(cpuCores !== undefined && {
              // Docker refuses more than there are, which is no limit.
              NanoCpus: Math.round(Math.min(cpuCores, cpus) * NANOS),
            }),
          },
        }),
      ),
    );
  }

  /** Before anything runs in it. */
  async #fill(container: Container, plan: SandboxPlan): Promise<void> {
    const { docker } = this.#options;
    if (!this.#withShell.has(plan.image)) {
      await docker
        .call("look for /bin/sh", async (options) => {
          const answer = await container.infoArchive({ ...options, path: "/bin/sh" });
          // Unread, it would keep its connection for ever.
          (answer as NodeJS.ReadableStream).resume();
        })
        .catch((error: unknown) => {
          if (!(error instanceof DockerCallError) || error.status !== 404) throw error;
          throw new Error(
            `the image ${JSON.stringify(plan.image)} has no /bin/sh: the engine "docker" runs commands through it. Use an image with a shell.`,
          );
        });
      this.#withShell.add(plan.image);
    }
    await restoreDiskVolumes(docker, container, plan);
    const files = plan.files.filter(({ path }) => !isInMemory(plan, path));
    if (files.length === 0) return;
    await docker.call("write files", (options) =>
      container.putArchive(tarOf(files), { ...options, path: "/" }),
    );
  }

  async #run(container: Container, plan: SandboxPlan): Promise<DockerSandbox> {
    const { docker } = this.#options;
    const lifeline = (await docker.call("attach to a container", (options) =>
      container.attach({ ...options, stream: true, stdin: true, hijack: true }),
    )) as unknown as Socket;
    lifeline.on("error", () => {}).resume();
    try {
      await docker.call("start a container", (options) => container.start(options));
    } catch (error) {
      lifeline.destroy();
      throw error;
    }
    return new DockerSandbox({ docker, container, plan, lifeline });
  }

  #removeLater(plan: SandboxPlan, container: Container | undefined): void {
    const { docker } = this.#options;
    const removal = (async () => {
      if (container !== undefined) await removeContainer(docker, container.id);
      for (const volume of diskVolumes(plan))
        await removeVolume(docker, volumeName(plan.id, volume));
    })()
      // Once more when the service closes, and by the next one.
      .catch(() => {})
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }
}

function isInMemory({ mounts }: SandboxPlan, path: string): boolean {
  return mounts.some(
    (mount) => mount.memorySizeBytes !== undefined && path.startsWith(`${mount.path}/`),
  );
}

import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { once } from "node:events";
import Docker from "dockerode";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Code } from "@connectrpc/connect";
import { ErrorReason, SnapshotState, State, StorageMedium, Visibility } from "@tidybox/protocol";
import { Requests } from "../../testing/requests.ts";
import {
  NO_BRIDGE,
  NO_DOCKER,
  testDockerGateway,
  testDockerHost,
} from "../../testing/tested-engines.ts";
import {
  createRunning,
  eventually,
  refusalOf,
  RefusedStart,
  sh,
  specOf,
  startTestService,
  type SpecInit,
  type TestService,
  untilEnded,
} from "../../testing/test-service.ts";
import { OWNER_LABEL } from "./owner-label.ts";

const here = testDockerHost !== undefined;

test.skipIf(here)("runs real containers", (context) => context.skip(NO_DOCKER));

test("is refused with a remedy where no daemon is", async () => {
  const before = process.env["DOCKER_HOST"];
  process.env["DOCKER_HOST"] = "unix:///nowhere/docker.sock";
  try {
    const refused = startTestService({ engine: "docker" });
    await expect(refused).rejects.toMatchObject({
      code: "local_engine_unavailable",
      message: expect.stringMatching(/nowhere\/docker\.sock.*docker info/s),
    });
  } finally {
    restore(before);
  }
});

test("is refused in words when the daemon does not answer", async () => {
  const folder = mkdtempSync("/tmp/local-test-hung-");
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket));
  server.listen(`${folder}/docker.sock`);
  await once(server, "listening");
  const before = process.env["DOCKER_HOST"];
  process.env["DOCKER_HOST"] = `unix://${folder}/docker.sock`;
  try {
    const refused = await startTestService({ engine: "docker", keepRoot: true }).catch(
      (error: unknown) => error,
    );
    expect(refused).toBeInstanceOf(RefusedStart);
    expect((refused as Error).message).toContain("no answer within 5 s");
  } finally {
    restore(before);
    for (const socket of sockets) socket.destroy();
    server.close();
    rmSync(folder, { recursive: true });
  }
});

describe.runIf(here)("the engine docker", () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startTestService({
      engine: "docker",
      images: { "no-shell:1": "tidybox-test:no-shell" },
    });
  });
  afterAll(() => service.close());

  async function ends(spec: SpecInit) {
    const { sandboxId } = await service.client.createSandbox({ sandbox: { spec: spec as object } });
    return (await untilEnded(service.client, sandboxId)).status;
  }

  test("runs the image that was asked for, and says nothing of other programs", async () => {
    const image = "tidybox-test:busybox";
    const sandboxId = await createRunning(service.client, specOf({ image }));
    expect((await sh(service.client, sandboxId, "cat /etc/test-image; pwd")).stdout).toBe(
      "busybox\n/workspace\n",
    );
    expect(await service.notices()).toEqual([]);
  });

  test("fails a sandbox whose image is nowhere, with the reason", async () => {
    expect(await ends(specOf({ image: "127.0.0.1:9/no/such:image" }))).toMatchObject({
      state: State.FAILED,
      stateReason: expect.stringMatching(/find or pull the image "127.0.0.1:9\/no\/such:image"/),
    });
  });

  test("fails a sandbox whose image has no shell, saying what is needed", async () => {
    expect(await ends(specOf({ image: "no-shell:1" }))).toMatchObject({
      state: State.FAILED,
      stateReason: expect.stringContaining("has no /bin/sh"),
    });
  });

  test("fails a sandbox whose main process cannot be executed", async () => {
    expect(await ends(specOf({ command: "no-such-program" }))).toMatchObject({
      state: State.FAILED,
      exitCode: 127,
      stateReason: expect.stringContaining("no-such-program: not found"),
    });
  });

  test("has no network but its own when egress is denied", async () => {
    const spec = specOf({}, { network: { denyEgress: true } });
    const sandboxId = await createRunning(service.client, spec);
    const { stdout } = await sh(service.client, sandboxId, "ls /sys/class/net");
    expect(stdout.trim()).toBe("lo");
    // The tests' own daemon has no other network to give.
    const { HostConfig: config } = await new Docker()
      .getContainer(`tidybox-${sandboxId}`)
      .inspect();
    expect(config.NetworkMode).toBe("none");
  });

  test("holds a sandbox to its memory and its cpu", async () => {
    const spec = specOf({ resourceRequirements: { limits: { memory: "64Mi", cpu: "500m" } } });
    const sandboxId = await createRunning(service.client, spec);
    const quota =
      "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || cat /sys/fs/cgroup/cpu.max";
    expect((await sh(service.client, sandboxId, quota)).stdout).toMatch(/^50000\b/);
    const greedy = await sh(
      service.client,
      sandboxId,
      "dd if=/dev/zero of=/dev/null bs=256M count=1",
    );
    expect(greedy.exitCode).toBe(137);
    expect((await untilEnded(service.client, sandboxId)).status).toMatchObject({
      state: State.FAILED,
      exitCode: 137,
      stateReason: expect.stringContaining("its memory limit is 67108864"),
      effectiveResourceRequirements: { limits: { memory: "64Mi", cpu: "500m" } },
    });
    expect((await service.notices()).map(({ code }) => code)).not.toContain(
      "resources_not_enforced",
    );
  });

  test.each([
    ["on disk", StorageMedium.DISK],
    ["in memory", StorageMedium.MEMORY],
  ])("takes and restores snapshots of volumes %s", async (_, medium) => {
    const size = "16Mi";
    const mount = { volumeMounts: [{ volume: "data", mountPath: "/data" }] };
    const volumes = (snapshotId: string): SpecInit => ({
      volumes: [
        {
          name: "data",
          source: {
            case: "scratch",
            value: {
              medium,
              size,
              restoreFromSnapshotId: snapshotId,
            },
          },
        },
      ],
    });
    const first = await createRunning(service.client, specOf(mount, volumes("")));
    await sh(service.client, first, "mkdir /data/a; echo kept >/data/a/b; chmod 751 /data/a");
    const begun = await service.client.createFileSystemSnapshot({ sandboxId: first });
    const { fileSystemSnapshotId } = begun;
    await eventually(async () => {
      const { state } = await service.client.getFileSystemSnapshot({ fileSystemSnapshotId });
      return state === SnapshotState.READY;
    });
    const second = await createRunning(
      service.client,
      specOf(mount, volumes(fileSystemSnapshotId)),
    );
    expect((await sh(service.client, second, "cat /data/a/b; stat -c %a /data/a")).stdout).toBe(
      "kept\n751\n",
    );
  });

  test("refuses to mount a part of a volume", async () => {
    const spec = specOf(
      { volumeMounts: [{ volume: "data", mountPath: "/data", subPath: "part" }] },
      { volumes: [{ name: "data", source: { case: "scratch", value: {} } }] },
    );
    expect(
      await refusalOf(service.client.createSandbox({ sandbox: { spec: spec as object } })),
    ).toMatchObject({
      code: Code.FailedPrecondition,
      message: expect.stringContaining("sub_path"),
    });
  });

  test("gives a terminal its size before the command asks, and Ctrl+C to it", async () => {
    const sandboxId = await createRunning(service.client);
    const requests = new Requests();
    const script =
      "trap 'stty size' WINCH; trap 'echo caught; exit 5' INT; stty size; while :; do sleep 0.1; done";
    const command = ["/bin/sh", "-c", script];
    requests.send({
      case: "init",
      value: { sandboxId, command, tty: true, ttyWidth: 91, ttyHeight: 17 },
    });
    let text = "";
    let exitCode: number | undefined;
    for await (const { message } of service.client.streamExec(requests)) {
      if (message.case === "exit") exitCode = message.value.exitCode;
      if (message.case !== "output") continue;
      text += Buffer.from(message.value.data).toString();
      if (text === "17 91\r\n")
        requests.send({ case: "resize", value: { width: 120, height: 40 } });
      if (text.endsWith("40 120\r\n"))
        requests.send({ case: "stdin", value: Buffer.from("\u0003") });
    }
    expect(text).toBe("17 91\r\n40 120\r\n^Ccaught\r\n");
    expect(exitCode).toBe(5);
  });

  test("says in a terminal too what cannot be run", async () => {
    const sandboxId = await createRunning(service.client);
    const requests = new Requests();
    requests.send({ case: "init", value: { sandboxId, command: ["no-such"], tty: true } });
    let exitCode: number | undefined;
    for await (const { message } of service.client.streamExec(requests))
      if (message.case === "exit") exitCode = message.value.exitCode;
    expect(exitCode).toBe(127);
  });

  test("ends a cancelled command with all of its session, and the sandbox goes on", async () => {
    const sandboxId = await createRunning(service.client);
    const command = ["/bin/sh", "-c", "trap '' TERM HUP; sleep 611 & sleep 612"];
    const running = service.client.exec({ sandboxId, command }, { timeoutMs: 1000 });
    expect(await refusalOf(running)).toMatchObject({ code: Code.DeadlineExceeded });
    await eventually(async () => {
      const { stdout, exitCode } = await sh(service.client, sandboxId, "ps");
      expect(exitCode).toBe(0);
      return !stdout.includes("sleep 61");
    });
  });

  test("ends what a cancelled command has put into sessions of its own, and nothing of others", async () => {
    const sandboxId = await createRunning(service.client);
    await sh(service.client, sandboxId, "setsid sleep 620 >/dev/null 2>&1 &");
    const script = "setsid sh -c 'sleep 621; :' & setsid setsid sleep 622 & sleep 623";
    const running = service.client.exec(
      { sandboxId, command: ["/bin/sh", "-c", script] },
      { timeoutMs: 1500 },
    );
    expect(await refusalOf(running)).toMatchObject({ code: Code.DeadlineExceeded });
    await eventually(
      async () => !/sleep 62[123]/.test((await sh(service.client, sandboxId, "ps")).stdout),
    );
    expect((await sh(service.client, sandboxId, "ps")).stdout).toContain("sleep 620");
  });

  test("holds a sandbox to a number of processes", async () => {
    const sandboxId = await createRunning(service.client);
    const script = "cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max";
    expect((await sh(service.client, sandboxId, script)).stdout).toBe("4096\n");
  });

  test("takes an environment of any size that a program can have", async () => {
    const value = "x".repeat(100_000);
    const names = Array.from({ length: 12 }, (_, index) => `LARGE_${index}`);
    const environmentVariables = Object.fromEntries(names.map((name) => [name, value]));
    const sandboxId = await createRunning(service.client, specOf({ environmentVariables }));
    expect((await sh(service.client, sandboxId, "echo ${#LARGE_0} ${#LARGE_11}")).stdout).toBe(
      "100000 100000\n",
    );
  });

  test.skipIf(testDockerGateway !== undefined)("reaches out, or not", (context) =>
    context.skip(NO_BRIDGE),
  );

  test.runIf(testDockerGateway !== undefined)(
    "reaches this machine where egress is open, and not where it is denied",
    async () => {
      const server = createServer((socket) => socket.end("from outside\n"));
      server.listen(0, testDockerGateway);
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      try {
        const ask = async (network: SpecInit["network"]) => {
          const spec = specOf({}, network && { network });
          const sandboxId = await createRunning(service.client, spec);
          const script = `nc -w 3 ${testDockerGateway} ${port} </dev/null`;
          return (await sh(service.client, sandboxId, script)).stdout;
        };
        expect(await ask(undefined)).toBe("from outside\n");
        expect(await ask({ denyEgress: false })).toBe("from outside\n");
        expect(await ask({ denyEgress: true })).toBe("");
        // Nothing that Docker has could enforce it.
        const egress = [{ destination: { case: "cidr", value: { cidr: "10.0.0.0/8" } } }] as const;
        const spec = specOf({}, { network: { egress: [...egress] } });
        const refused = service.client.createSandbox({ sandbox: { spec: spec as object } });
        expect(await refusalOf(refused)).toMatchObject({
          code: Code.Unimplemented,
          reason: ErrorReason.NOT_IMPLEMENTED,
          message: expect.stringContaining("egress rules by address"),
        });
      } finally {
        server.close();
      }
    },
  );

  test("refuses ports of a sandbox whose egress is denied", async () => {
    const spec = specOf(
      {},
      { services: [{ port: 80, visibility: Visibility.PUBLIC }], network: { denyEgress: true } },
    );
    const refused = service.client.createSandbox({ sandbox: { spec: spec as object } });
    expect(await refusalOf(refused)).toMatchObject({
      code: Code.FailedPrecondition,
      reason: ErrorReason.NO_SUITABLE_RUNNER,
      message: expect.stringMatching(/deny_egress|services/),
    });
  });

  test("ends the sandbox where a cancelled command can be ended in no other way", async () => {
    const sandboxId = await createRunning(service.client);
    const { stdout } = await sh(
      service.client,
      sandboxId,
      "mkdir /keep; cp /bin/busybox /keep; (sleep 1; /keep/busybox rm -f /bin/sh) >/dev/null 2>&1 & echo begun",
    );
    expect(stdout).toBe("begun\n");
    const command = ["/keep/busybox", "sleep", "600"];
    const running = service.client.exec({ sandboxId, command }, { timeoutMs: 3000 });
    expect(await refusalOf(running)).toMatchObject({ code: Code.DeadlineExceeded });
    expect((await untilEnded(service.client, sandboxId)).status).toMatchObject({
      state: State.FAILED,
      stateReason: expect.stringContaining("could not be ended in any other way"),
    });
  });

  test("removes what a killed service has left of 20 sandboxes, and nothing of one that lives", async () => {
    const docker = new Docker();
    const ours = async (owner: TestService) => {
      const filters = { label: [OWNER_LABEL] };
      const containers = await docker.listContainers({ all: true, filters });
      const { Volumes: volumes } = await docker.listVolumes({ filters });
      return [...containers, ...((volumes as typeof volumes | null) ?? [])].filter((each) =>
        each.Labels[OWNER_LABEL]?.includes(`"pid":${owner.process.pid},`),
      ).length;
    };
    const lives = await createRunning(service.client);
    // Nobody may take it for a sandbox: it has no label.
    const stranger = await docker.createContainer({
      ...{ Image: "tidybox-test:busybox", name: `tidybox-stranger-${process.pid}` },
      ...{ Cmd: ["/bin/sh", "-c", "sleep 600"], HostConfig: { NetworkMode: "none" } },
    });
    await stranger.start();
    const crashed = await startTestService({ engine: "docker" });
    const rest: SpecInit = {
      volumes: [{ name: "data", source: { case: "scratch", value: {} } }],
    };
    const mount = { volumeMounts: [{ volume: "data", mountPath: "/data" }] };
    const spec = specOf(mount, rest);
    await Promise.all(Array.from({ length: 20 }, () => createRunning(crashed.client, spec)));
    expect(await ours(crashed)).toBe(40);
    crashed.process.kill("SIGKILL");
    await crashed.close().catch(() => {});
    const next = await startTestService({ engine: "docker" });
    try {
      expect(await ours(crashed)).toBe(0);
      expect((await sh(service.client, lives, "echo here")).stdout).toBe("here\n");
      expect((await stranger.inspect()).State.Running).toBe(true);
    } finally {
      await next.close();
      await stranger.remove({ force: true });
    }
  }, 120_000);

  test("leaves nothing in Docker when the service is closed", async () => {
    const own = await startTestService({ engine: "docker" });
    const volumes: SpecInit = {
      volumes: [{ name: "data", source: { case: "scratch", value: {} } }],
    };
    const mount = { volumeMounts: [{ volume: "data", mountPath: "/data" }] };
    const sandboxId = await createRunning(own.client, specOf(mount, volumes));
    await own.close();
    const docker = new Docker();
    const name = `tidybox-${sandboxId}`;
    await expect(docker.getContainer(name).inspect()).rejects.toMatchObject({ statusCode: 404 });
    await expect(docker.getVolume(`${name}-data`).inspect()).rejects.toMatchObject({
      statusCode: 404,
    });
  });
});

function restore(host: string | undefined): void {
  if (host === undefined) delete process.env["DOCKER_HOST"];
  else process.env["DOCKER_HOST"] = host;
}

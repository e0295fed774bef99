import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Code } from "@connectrpc/connect";
import { State } from "@tidybox/protocol";
import { Requests } from "../../testing/requests.ts";
import { NO_DOCKER, testDockerHost } from "../../testing/tested-engines.ts";
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
    const script = `setsid sh -c 'setsid sh -c "sleep 621; :" & sleep 622; :' & sleep 623`;
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
});

function restore(host: string | undefined): void {
  if (host === undefined) delete process.env["DOCKER_HOST"];
  else process.env["DOCKER_HOST"] = host;
}

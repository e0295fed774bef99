import { execFileSync } from "node:child_process";
import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { ErrorReason, SandboxSpecSchema, State } from "@tidybox/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Requests } from "../../testing/requests.ts";
import {
  createRunning,
  eventually,
  refusalOf,
  run,
  sh,
  specOf,
  startTestService,
  type TestService,
  untilEnded,
} from "../../testing/test-service.ts";

/** Half of what the account may have is for one sandbox: few enough to fill it in a test. */
const ACCOUNT_PROCESSES = 1200;

const withMemory = (memory: string) =>
  specOf({ resourceRequirements: { limits: { cpu: "500m", memory } } });

describe("limits of bubblewrap sandboxes", () => {
  let service: TestService;

  beforeAll(async () => {
    const launcher = ["/usr/bin/prlimit", `--nproc=${ACCOUNT_PROCESSES}`];
    service = await startTestService({ engine: "bubblewrap" }, launcher);
  });

  afterAll(() => service.close());

  test("a command that takes more memory than the limit is killed with its sandbox, and the reason says so", async () => {
    const sandboxId = await createRunning(service.client, withMemory("64Mi"));
    expect((await run(service.client, sandboxId, "echo", "small")).exitCode).toBe(0);
    expect((await run(service.client, sandboxId, "tail", "/dev/zero")).exitCode).toBe(137);
    const { status } = await untilEnded(service.client, sandboxId);
    expect(status?.state).toBe(State.FAILED);
    expect(status?.exitCode).toBe(137);
    expect(status?.stateReason).toContain("memory limit is 67108864");
  });

  test("so is a main process, in a sandbox made of nothing ahead", async () => {
    const spec = withMemory("64Mi");
    Object.assign(spec.containers?.[0] ?? {}, { command: "tail", args: ["/dev/zero"] });
    Object.assign(spec.containers?.[0] ?? {}, { workingDir: "/opt/own" });
    const { sandboxId } = await service.client.createSandbox({
      sandbox: { spec: create(SandboxSpecSchema, spec) },
    });
    const { status } = await untilEnded(service.client, sandboxId);
    expect(status).toMatchObject({ state: State.FAILED, exitCode: 137 });
    expect(status?.stateReason).toContain("memory limit");
    expect(status?.containerStatuses[0]).toMatchObject({ state: State.FAILED, exitCode: 137 });
  });

  test("a sandbox without a limit may use what it needs", async () => {
    const sandboxId = await createRunning(service.client);
    const script = "head -c 150000000 /dev/zero | tail -c 140000000 | wc -c";
    expect((await sh(service.client, sandboxId, script)).stdout.trim()).toBe("140000000");
    await service.client.deleteSandbox({ sandboxId });
  });

  test("a fork bomb stays in its sandbox, which can still be stopped", async () => {
    const { client } = service;
    const sandboxId = await createRunning(client);
    const other = await createRunning(client);
    const bomb = client.exec({
      sandboxId,
      command: ["perl", "-e", "while (1) { fork // select(undef, undef, undef, 1) }"],
    });
    bomb.catch(() => {});
    // Full: what is entered from outside still runs, and cannot fork.
    await eventually(
      async () => (await sh(client, sandboxId, "/bin/true; /bin/true")).exitCode !== 0,
    );
    const processes = await run(
      client,
      sandboxId,
      "find",
      "/proc",
      "-maxdepth",
      "1",
      "-name",
      "[0-9]*",
    );
    expect(processes.stdout.trim().split("\n").length).toBeLessThan(ACCOUNT_PROCESSES / 2 + 20);
    expect((await sh(client, other, "echo here | cat")).stdout).toBe("here\n");
    expect(execFileSync("/bin/echo", ["host"], { encoding: "utf8" })).toBe("host\n");
    await client.deleteSandbox({ sandboxId });
    expect((await untilEnded(client, sandboxId)).status?.state).toBe(State.TERMINATED);
    await client.deleteSandbox({ sandboxId: other });
  });

  test("every way into a sandbox has the limit of processes", async () => {
    const { client } = service;
    const sandboxId = await createRunning(client);
    const command = ["grep", "Max processes", "/proc/self/limits"];
    const limit = new RegExp(
      `^Max processes +${ACCOUNT_PROCESSES / 2} +${ACCOUNT_PROCESSES / 2} `,
      "m",
    );
    const text = new TextDecoder();
    // Variables that no shell passes on make a command enter by itself.
    for (const env of [{}, { "not-of-shells": "1" }]) {
      expect(text.decode((await client.exec({ sandboxId, command, env })).stdout)).toMatch(limit);
    }
    const requests = new Requests();
    requests.send({ case: "init", value: { sandboxId, command, tty: true } });
    let printed = "";
    for await (const { message } of client.streamExec(requests)) {
      if (message.case === "output") printed += text.decode(message.value.data);
      if (message.case === "exit") requests.end();
    }
    expect(printed).toMatch(limit);
    await client.deleteSandbox({ sandboxId });
  });

  test("more than the machine has is refused, and so is what is no quantity", async () => {
    const refused = (limits: { cpu?: string; memory?: string }) =>
      refusalOf(
        createRunning(
          service.client,
          specOf({ resourceRequirements: { requests: limits, limits } }),
        ),
      );
    for (const limits of [{ cpu: "100000" }, { memory: "1000Ti" }]) {
      expect(await refused(limits)).toMatchObject({
        code: Code.InvalidArgument,
        reason: ErrorReason.RESOURCE_CEILING_EXCEEDED,
      });
    }
    for (const limits of [{ cpu: "much" }, { memory: "12XB" }, { cpu: "0" }]) {
      expect(await refused(limits)).toMatchObject({
        code: Code.InvalidArgument,
        reason: ErrorReason.INVALID_ARGUMENT,
      });
    }
  });

  test("quantities come back as they were written, and what is not enforced is told once", async () => {
    const spec = specOf({
      resourceRequirements: {
        requests: { cpu: "250m", memory: "128Mi" },
        limits: { cpu: "250m", memory: "128Mi" },
      },
    });
    for (let count = 0; count < 2; count += 1) {
      const sandboxId = await createRunning(service.client, spec);
      const { status } = await service.client.getSandbox({ sandboxId });
      expect(status?.effectiveResourceRequirements).toMatchObject({
        requests: { cpu: "250m", memory: "128Mi" },
        limits: { cpu: "250m", memory: "128Mi" },
      });
      await service.client.deleteSandbox({ sandboxId });
    }
    const told = (await service.notices()).filter(({ code }) => code === "resources_not_enforced");
    expect(told).toHaveLength(1);
    expect(told[0]?.message).toMatch(/^cpu of sandboxes: accepted/);
  });
});

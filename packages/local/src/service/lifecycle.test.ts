import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Code } from "@connectrpc/connect";
import { ErrorReason, isTerminal, State } from "@tidybox/protocol";
import { markedProcesses } from "../engines/process/marked-processes.ts";
import {
  createRunning,
  eventually,
  refusalOf,
  sh,
  specOf,
  startTestService,
  type TestService,
  until,
  untilEnded,
} from "../testing/test-service.ts";
import { testedEngines } from "../testing/tested-engines.ts";

const main = (script: string, more: object = {}) =>
  specOf({ command: "/bin/sh", args: ["-c", script], ...more });

describe.each(testedEngines)("the life of a sandbox with the engine %s", (engine) => {
  let service: TestService;
  beforeAll(async () => {
    service = await startTestService({ engine });
  });
  afterAll(() => service.close());

  /** RUNNING means started: a shell needs a moment more to set its trap. */
  async function trapping(trap: string): Promise<string> {
    const sandboxId = await createRunning(
      service.client,
      main(`${trap}; echo > ready; while :; do sleep 0.05; done`),
    );
    await eventually(
      async () => (await sh(service.client, sandboxId, "test -e ready")).exitCode === 0,
    );
    return sandboxId;
  }

  test("answers CREATING at once and RUNNING soon, with its times and its runner", async () => {
    const created = await service.client.createSandbox({
      sandbox: { spec: specOf({}, { tags: ["a"] }) },
    });
    expect(created.status).toMatchObject({
      state: State.CREATING,
      effectiveMaxLifetimeSeconds: 600,
    });
    expect(created.spec?.tags).toEqual(["a"]);
    const running = await until(
      service.client,
      created.sandboxId,
      (state) => state === State.RUNNING,
    );
    expect(running.status?.startTime).toBeDefined();
    expect(running.status?.runnerId).not.toBe("");
    expect(running.status?.exitCode).toBeUndefined();
    expect(running.spec?.tags).toEqual(["a"]);
  });

  test.each([0, 3])(
    "is COMPLETED with the main process's exit code %d, known in the same moment",
    async (code) => {
      const { sandboxId } = await service.client.createSandbox({
        sandbox: { spec: main(`exit ${code}`) },
      });
      const ended = await untilEnded(service.client, sandboxId);
      expect(ended.status).toMatchObject({ state: State.COMPLETED, exitCode: code });
      expect(ended.status?.endTime).toBeDefined();
    },
  );

  test("is COMPLETED with 128 + n when a signal ended the main process", async () => {
    const { sandboxId } = await service.client.createSandbox({
      sandbox: { spec: main("kill -TERM $$") },
    });
    expect((await untilEnded(service.client, sandboxId)).status).toMatchObject({
      state: State.COMPLETED,
      exitCode: 143,
    });
  });

  test("takes along what the main process left behind", async () => {
    const spec = main("setsid sleep 600 & sleep 0.1", {
      environmentVariables: { LIFE_TEST: `left-${engine}` },
    });
    const { sandboxId } = await service.client.createSandbox({ sandbox: { spec } });
    await untilEnded(service.client, sandboxId);
    expect(markedProcesses(`LIFE_TEST=left-${engine}`)).toEqual([]);
  });

  test("is TERMINATED by a delete, at once and with everything in it", async () => {
    const spec = main("trap '' TERM; while :; do sleep 1; done", {
      environmentVariables: { LIFE_TEST: `kill-${engine}` },
    });
    const sandboxId = await createRunning(service.client, spec);
    await sh(
      service.client,
      sandboxId,
      "setsid sh -c 'setsid sleep 600 & sleep 600' >/dev/null 2>&1 &",
    );
    await eventually(() => markedProcesses(`LIFE_TEST=kill-${engine}`).length >= 4);
    const { sandbox } = await service.client.deleteSandbox({ sandboxId });
    expect([State.TERMINATING, State.TERMINATED]).toContain(sandbox?.status?.state);
    const ended = await untilEnded(service.client, sandboxId);
    expect(ended.status?.state).toBe(State.TERMINATED);
    expect(ended.status?.exitCode).toBeUndefined();
    expect(markedProcesses(`LIFE_TEST=kill-${engine}`)).toEqual([]);
  });

  test("gives the main process its grace to end in order", async () => {
    const sandboxId = await trapping("trap 'echo bye > note; exit 5' TERM");
    await service.client.deleteSandbox({ sandboxId, gracePeriodSeconds: 60 });
    expect((await untilEnded(service.client, sandboxId)).status).toMatchObject({
      state: State.TERMINATED,
      exitCode: 5,
    });
  });

  test("ends a main process that ignores SIGTERM when its grace is over", async () => {
    const sandboxId = await trapping("trap '' TERM");
    const { sandbox } = await service.client.deleteSandbox({ sandboxId, gracePeriodSeconds: 1 });
    expect(sandbox?.status?.state).toBe(State.TERMINATING);
    expect((await untilEnded(service.client, sandboxId)).status?.state).toBe(State.TERMINATED);
  });

  test("shortens a grace, but never lengthens it", async () => {
    const sandboxId = await trapping("trap '' TERM");
    await service.client.deleteSandbox({ sandboxId, gracePeriodSeconds: 300 });
    const draining = await service.client.getSandbox({ sandboxId });
    expect(draining.status?.state).toBe(State.TERMINATING);
    await service.client.deleteSandbox({ sandboxId, gracePeriodSeconds: 300 });
    await service.client.deleteSandbox({ sandboxId });
    expect((await untilEnded(service.client, sandboxId)).status?.state).toBe(State.TERMINATED);
  });

  test("can be deleted twice, and while it is still CREATING", async () => {
    const { sandboxId } = await service.client.createSandbox({ sandbox: { spec: specOf() } });
    await Promise.all([
      service.client.deleteSandbox({ sandboxId }),
      service.client.deleteSandbox({ sandboxId }),
    ]);
    const ended = await untilEnded(service.client, sandboxId);
    expect(ended.status?.state).toBe(State.TERMINATED);
    const { sandbox } = await service.client.deleteSandbox({ sandboxId });
    expect(sandbox?.status?.state).toBe(State.TERMINATED);
  });

  test("refuses to delete what is not there, unless that is allowed", async () => {
    expect(await refusalOf(service.client.deleteSandbox({ sandboxId: "sb-none" }))).toMatchObject({
      code: Code.NotFound,
      reason: ErrorReason.SANDBOX_NOT_FOUND,
    });
    const answer = await service.client.deleteSandbox({
      sandboxId: "sb-none",
      allowMissing: true,
    });
    expect(answer.sandbox).toBeUndefined();
  });

  test("ends by itself when its lifetime is over", async () => {
    const spec = specOf({}, { maxLifetimeSeconds: 1 });
    const { sandboxId, status } = await service.client.createSandbox({ sandbox: { spec } });
    expect(status?.effectiveMaxLifetimeSeconds).toBe(1);
    const ended = await untilEnded(service.client, sandboxId);
    expect(ended.status).toMatchObject({
      state: State.TERMINATED,
      stateReason: expect.stringContaining("lifetime"),
    });
  });

  test("lets calls that come while it is CREATING wait for it", async () => {
    const { sandboxId } = await service.client.createSandbox({ sandbox: { spec: specOf() } });
    expect(await sh(service.client, sandboxId, "echo ready")).toMatchObject({
      stdout: "ready\n",
    });
  });
});

test.each([
  ["bubblewrap", "No such file"],
  ["process", "not found"],
] as const)(
  "with %s a main process that cannot be started is FAILED, and says why",
  async (engine, words) => {
    const service = await startTestService({ engine });
    try {
      const { sandboxId } = await service.client.createSandbox({
        sandbox: { spec: specOf({ command: "/no/such/program" }) },
      });
      const seen = new Set<State>();
      const ended = await until(service.client, sandboxId, (state) => {
        seen.add(state);
        return isTerminal(state);
      });
      expect(ended.status).toMatchObject({
        state: State.FAILED,
        stateReason: expect.stringContaining(`/no/such/program: ${words}`),
      });
      expect(ended.status?.stateReason).not.toContain("setpriv");
      // It has never run, and nobody may be told so in between.
      expect(seen).not.toContain(State.RUNNING);
      expect(ended.status?.startTime).toBeUndefined();
    } finally {
      await service.close();
    }
  },
);

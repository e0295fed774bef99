import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  ErrorReason,
  isTerminal,
  KEEP_ALIVE_COMMAND,
  type Sandbox,
  SandboxSpecSchema,
  State,
} from "@tidybox/protocol";
import { expect } from "vitest";
import { refusalOf, until, untilEnded } from "../../../packages/local/src/testing/test-service.ts";
import { type CaseContext, type Exception, section } from "../contract.ts";
import { letGo, mainScript, stubborn, trapping, waitingMain } from "../main-processes.ts";
import { idleService } from "../own-service.ts";
import { running, started } from "../sandboxes.ts";
import { changes, stateOf, watched } from "../watched-states.ts";

const DAY_SECONDS = 86_400;
const ALL_STATES = Object.values(State).filter((state) => typeof state === "number");

/** Ends a sandbox by its own main process, by a start that fails, and by a delete. */
async function oneOfEachEnd(context: CaseContext): Promise<readonly string[]> {
  const { sandboxes } = context.bed;
  const completed = await started(context, mainScript("exit 3"));
  const failed = await started(context, { command: "/no/such/program" });
  const terminated = await running(context);
  await sandboxes.deleteSandbox({ sandboxId: terminated });
  return [completed.sandboxId, failed.sandboxId, terminated];
}

/** The one that is not the primary would go on for ever. */
function startedBoth({ bed, tag }: CaseContext): Promise<Sandbox> {
  const image = "python:3.11";
  const spec = create(SandboxSpecSchema, {
    containers: [
      { name: "side", image, ...mainScript("while :; do sleep 1; done") },
      { name: "primary", image, ...mainScript("exit 3") },
    ],
    primaryContainer: "primary",
    tags: [tag],
  });
  return bed.sandboxes.createSandbox({ sandbox: { spec } });
}

const oneContainerOnly: Exception = {
  cannot: "have several containers",
  instead: async (context) => {
    expect(await refusalOf(startedBoth(context))).toMatchObject({
      code: Code.FailedPrecondition,
      reason: ErrorReason.NO_SUITABLE_RUNNER,
      message: expect.stringContaining("bubblewrap"),
    });
  },
};

export const lifecycle = section("3.1", (says) => {
  says("COMPLETED, FAILED and TERMINATED are final: nothing changes them", async (context) => {
    const { sandboxes } = context.bed;
    const ended = [];
    for (const sandboxId of await oneOfEachEnd(context))
      ended.push(await untilEnded(sandboxes, sandboxId));
    expect(ended.map(stateOf)).toEqual([State.COMPLETED, State.FAILED, State.TERMINATED]);
    for (const { sandboxId, status } of ended) {
      await sandboxes.deleteSandbox({ sandboxId, gracePeriodSeconds: 1 });
      await sandboxes.purgeSandboxes({ tags: [context.tag] });
      expect((await sandboxes.getSandbox({ sandboxId })).status).toEqual(status);
    }
  });

  says("every other state is active, and listed as such", async (context) => {
    const { sandboxes } = context.bed;
    const listed = async () =>
      (await sandboxes.listSandboxes({ tags: [context.tag] })).sandboxes.map(stateOf);
    const starting = await started(context, waitingMain(0));
    expect(await listed()).toHaveLength(1);
    await until(sandboxes, starting.sandboxId, (state) => state === State.RUNNING);
    expect(await listed()).toEqual([State.RUNNING]);
    const draining = await stubborn(context);
    await sandboxes.deleteSandbox({ sandboxId: draining, gracePeriodSeconds: 60 });
    expect(await listed()).toEqual([State.RUNNING, State.TERMINATING]);
    await sandboxes.deleteSandbox({ sandboxId: draining });
    await untilEnded(sandboxes, draining);
    expect(await listed()).toEqual([State.RUNNING]);
  });

  says(
    "goes from PENDING or CREATING over RUNNING to COMPLETED when its main process ends",
    async (context) => {
      const { sandboxId } = await started(context, waitingMain(0));
      const seen = watched(context, sandboxId);
      await until(context.bed.sandboxes, sandboxId, (state) => state === State.RUNNING);
      await letGo(context, sandboxId);
      const path = changes(await seen).filter((state) => state !== State.PENDING);
      expect([
        [State.CREATING, State.RUNNING, State.COMPLETED],
        [State.RUNNING, State.COMPLETED],
      ]).toContainEqual(path);
    },
  );

  says("is FAILED when its main process could not run, and says why", async (context) => {
    const { sandboxId } = await started(context, { command: "/no/such/program" });
    const ended = await untilEnded(context.bed.sandboxes, sandboxId);
    expect(stateOf(ended)).toBe(State.FAILED);
    expect(ended.status?.stateReason).toContain("/no/such/program");
  });

  says("a stop leads from RUNNING over TERMINATING to an end", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await stubborn(context);
    const { sandbox } = await sandboxes.deleteSandbox({ sandboxId, gracePeriodSeconds: 60 });
    expect(stateOf(sandbox)).toBe(State.TERMINATING);
    const seen = watched(context, sandboxId);
    await sandboxes.deleteSandbox({ sandboxId });
    expect(changes([...(sandbox ? [sandbox] : []), ...(await seen)])).toEqual([
      State.TERMINATING,
      State.TERMINATED,
    ]);
  });

  says("a stop also ends what has not run yet", async (context) => {
    await using own = await idleService(context);
    const { sandboxId, status } = await started(own);
    expect(status?.state).toBe(State.CREATING);
    await own.bed.sandboxes.deleteSandbox({ sandboxId });
    expect(stateOf(await untilEnded(own.bed.sandboxes, sandboxId))).toBe(State.TERMINATED);
  });

  says("TERMINATING is no end: it is polled through", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await stubborn(context);
    const { sandbox } = await sandboxes.deleteSandbox({ sandboxId, gracePeriodSeconds: 3 });
    expect(stateOf(sandbox)).toBe(State.TERMINATING);
    const seen = await watched(context, sandboxId);
    expect(changes(seen)).toEqual([State.TERMINATING, State.TERMINATED]);
  });

  says(
    "with several containers the primary one decides when and how it ends",
    async (context) => {
      const { sandboxId } = await startedBoth(context);
      const ended = await untilEnded(context.bed.sandboxes, sandboxId);
      expect(ended.status).toMatchObject({ state: State.COMPLETED, exitCode: 3 });
    },
    { unless: { process: oneContainerOnly } },
  );

  says(
    "a quick main process may never be seen RUNNING, and never after its end",
    async (context) => {
      const { sandboxId } = await started(context, { command: "true" });
      const path = changes(await watched(context, sandboxId));
      expect(path.at(-1)).toBe(State.COMPLETED);
      const order = [State.PENDING, State.CREATING, State.RUNNING, State.COMPLETED];
      expect(path).toEqual(order.filter((state) => path.includes(state)));
    },
  );

  says(
    "(our choice) nothing is ever PAUSED, and asking for such finds nothing",
    async (context) => {
      const { sandboxes } = context.bed;
      await running(context);
      const paused = await sandboxes.listSandboxes({ tags: [context.tag], state: State.PAUSED });
      expect(paused.sandboxes).toEqual([]);
    },
  );

  says(
    "(our choice) a stop ends as TERMINATED, however the main process ended",
    async (context) => {
      const { sandboxes } = context.bed;
      const orderly = await trapping(context, "trap 'exit 5' TERM");
      const killed = await stubborn(context);
      await sandboxes.deleteSandbox({ sandboxId: orderly, gracePeriodSeconds: 60 });
      await sandboxes.deleteSandbox({ sandboxId: killed });
      for (const sandboxId of [orderly, killed])
        expect(stateOf(await untilEnded(sandboxes, sandboxId))).toBe(State.TERMINATED);
    },
  );

  says("(our choice) a main process that exits with 3 is COMPLETED with 3", async (context) => {
    const { sandboxId } = await started(context, mainScript("exit 3"));
    const ended = await untilEnded(context.bed.sandboxes, sandboxId);
    expect(ended.status).toMatchObject({ state: State.COMPLETED, exitCode: 3 });
  });

  says(
    "(our choice) one that a signal ended is COMPLETED with 128 and its number",
    async (context) => {
      const { sandboxId } = await started(context, mainScript("kill -TERM $$"));
      const ended = await untilEnded(context.bed.sandboxes, sandboxId);
      expect(ended.status).toMatchObject({ state: State.COMPLETED, exitCode: 143 });
    },
  );

  says(
    "the exit code is there in the moment of COMPLETED, 0 too, and not before",
    async (context) => {
      const { sandboxId } = await started(context, mainScript("sleep 0.1; exit 0"));
      for (const sandbox of await watched(context, sandboxId)) {
        const isCompleted = stateOf(sandbox) === State.COMPLETED;
        expect(sandbox.status?.exitCode).toBe(isCompleted ? 0 : undefined);
      }
    },
  );

  says(
    "(our choice) a stopped sandbox has an exit code when its main process ended in its grace",
    async (context) => {
      const { sandboxes } = context.bed;
      const orderly = await trapping(context, "trap 'exit 5' TERM");
      const killed = await stubborn(context);
      await sandboxes.deleteSandbox({ sandboxId: orderly, gracePeriodSeconds: 60 });
      await sandboxes.deleteSandbox({ sandboxId: killed });
      expect((await untilEnded(sandboxes, orderly)).status?.exitCode).toBe(5);
      expect((await untilEnded(sandboxes, killed)).status?.exitCode).toBeUndefined();
    },
  );

  says("STATE_UNSPECIFIED is never answered", async (context) => {
    const { sandboxes } = context.bed;
    const created = await started(context, waitingMain(1));
    const seen = watched(context, created.sandboxId);
    await until(sandboxes, created.sandboxId, (state) => state === State.RUNNING);
    const { sandbox: deleted } = await sandboxes.deleteSandbox({ sandboxId: created.sandboxId });
    const { sandboxes: listed } = await sandboxes.listSandboxes({
      tags: [context.tag],
      showTerminated: true,
    });
    const states = [created, ...(await seen), deleted, ...listed].map(stateOf);
    expect(states).not.toContain(State.UNSPECIFIED);
    for (const state of states) expect(ALL_STATES).toContain(state);
  });

  says("start_time and a runner_id are set once it runs", async (context) => {
    await using own = await idleService(context);
    const waiting = await started(own);
    expect(waiting.status?.startTime).toBeUndefined();
    const sandboxId = await running(context);
    const { status } = await context.bed.sandboxes.getSandbox({ sandboxId });
    expect(status?.runnerId).not.toBe("");
    if (status?.startTime === undefined || status.createTime === undefined)
      throw new Error("a running sandbox has no times");
    expect(timestampMs(status.startTime)).toBeGreaterThanOrEqual(timestampMs(status.createTime));
    expect(Math.abs(Date.now() - timestampMs(status.startTime))).toBeLessThan(60_000);
  });

  says("end_time is set with the end, and not before", async (context) => {
    const { sandboxId } = await started(context, mainScript("exit 0"));
    for (const { status } of await watched(context, sandboxId))
      expect(status?.endTime !== undefined).toBe(isTerminal(status?.state ?? State.UNSPECIFIED));
  });

  says("it stops by itself when its lifetime is over, which its status tells", async (context) => {
    const created = await started(context, {}, { maxLifetimeSeconds: 1 });
    expect(created.status?.effectiveMaxLifetimeSeconds).toBe(1);
    const ended = await untilEnded(context.bed.sandboxes, created.sandboxId);
    expect(isTerminal(stateOf(ended))).toBe(true);
    expect(ended.status?.stateReason).toContain("lifetime");
    expect(ended.status?.effectiveMaxLifetimeSeconds).toBe(1);
  });

  says("a lifetime of 0 is a default, not unlimited", async (context) => {
    const { status } = await started(context, {}, { maxLifetimeSeconds: 0 });
    expect(status?.effectiveMaxLifetimeSeconds).toBe(600);
  });

  says("a lifetime over 30 days is refused, and one of 30 days is kept", async (context) => {
    const longest = await started(context, {}, { maxLifetimeSeconds: 30 * DAY_SECONDS });
    expect(longest.status?.effectiveMaxLifetimeSeconds).toBe(30 * DAY_SECONDS);
    for (const maxLifetimeSeconds of [30 * DAY_SECONDS + 1, -1]) {
      expect(await refusalOf(started(context, {}, { maxLifetimeSeconds }))).toMatchObject({
        code: Code.InvalidArgument,
        reason: ErrorReason.INVALID_ARGUMENT,
        message: expect.stringContaining("max_lifetime_seconds"),
      });
    }
  });

  says("the clients' keep-alive keeps it RUNNING, and ends at SIGTERM with 0", async (context) => {
    const { sandboxes } = context.bed;
    const [command, ...args] = KEEP_ALIVE_COMMAND;
    const sandboxId = await running(context, { command, args });
    await sandboxes.deleteSandbox({ sandboxId, gracePeriodSeconds: 60 });
    expect((await untilEnded(sandboxes, sandboxId)).status).toMatchObject({
      state: State.TERMINATED,
      exitCode: 0,
    });
  });
});

import { Code } from "@connectrpc/connect";
import { ErrorReason, isTerminal, State } from "@tidybox/protocol";
import { expect } from "vitest";
import { markedProcesses } from "../../../packages/local/src/engines/process/marked-processes.ts";
import {
  eventually,
  pause,
  refusalOf,
  sh,
  untilEnded,
} from "../../../packages/local/src/testing/test-service.ts";
import { section } from "../contract.ts";
import { mainScript, stubborn, trapping } from "../main-processes.ts";
import { running, started } from "../sandboxes.ts";
import { changes, stateOf, watched } from "../watched-states.ts";

/** What both SDKs give a stop when nothing is said. */
const SDK_GRACE_SECONDS = 10;

export const deleting = section("3.4", (says) => {
  says("a grace of 0, or none, kills it at once", async (context) => {
    const { sandboxes } = context.bed;
    for (const grace of [{}, { gracePeriodSeconds: 0 }]) {
      const sandboxId = await trapping(context, "trap 'exit 5' TERM");
      await sandboxes.deleteSandbox({ sandboxId, ...grace });
      // It had no time for its own exit code.
      expect((await untilEnded(sandboxes, sandboxId)).status?.exitCode).toBeUndefined();
    }
  });

  says("a grace gives the main process SIGTERM and time to end in order", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await trapping(context, "trap 'sleep 0.2; exit 5' TERM");
    await sandboxes.deleteSandbox({ sandboxId, gracePeriodSeconds: 60 });
    expect((await untilEnded(sandboxes, sandboxId)).status?.exitCode).toBe(5);
  });

  says("what is left when the grace is over is killed", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await stubborn(context);
    await sandboxes.deleteSandbox({ sandboxId, gracePeriodSeconds: 1 });
    expect(isTerminal(stateOf(await untilEnded(sandboxes, sandboxId)))).toBe(true);
  });

  says("everything in it ends, also what has left its session and its parents", async (context) => {
    const { sandboxes } = context.bed;
    const mark = { name: "CONFORMANCE_MARK", value: context.tag };
    const sandboxId = await running(context, {
      ...mainScript("trap '' TERM; setsid sleep 600 & while :; do sleep 0.05; done"),
      environmentVariables: { [mark.name]: mark.value },
    });
    await sh(sandboxes, sandboxId, "setsid sh -c 'sleep 600 & sleep 600; :' >/dev/null 2>&1 &");
    const alive = () => markedProcesses(`${mark.name}=${mark.value}`);
    await eventually(() => alive().length >= 4);
    await sandboxes.deleteSandbox({ sandboxId });
    await untilEnded(sandboxes, sandboxId);
    expect(alive()).toEqual([]);
  });

  says(
    "(our choice) a grace is at most 300 s; a longer one is shortened, and a negative one refused",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await stubborn(context);
      const { sandbox } = await sandboxes.deleteSandbox({
        sandboxId,
        gracePeriodSeconds: 2 ** 31 - 1,
      });
      expect(sandbox?.status).toMatchObject({
        state: State.TERMINATING,
        stateReason: expect.stringContaining("300 s of grace"),
      });
      expect(
        await refusalOf(sandboxes.deleteSandbox({ sandboxId, gracePeriodSeconds: -1 })),
      ).toMatchObject({
        code: Code.InvalidArgument,
        message: expect.stringContaining("grace_period_seconds"),
      });
    },
  );

  says("it answers while the sandbox drains, with the sandbox TERMINATING", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await stubborn(context);
    // As the Python SDK stops: its deadline is the grace and 10 s more.
    const deadline = { timeoutMs: (60 + 10) * 1000 };
    const { sandbox } = await sandboxes.deleteSandbox(
      { sandboxId, gracePeriodSeconds: 60 },
      deadline,
    );
    expect(sandbox).toMatchObject({ sandboxId, status: { state: State.TERMINATING } });
    const { status } = await sandboxes.getSandbox({ sandboxId });
    expect(status?.state).toBe(State.TERMINATING);
  });

  says("a kill answers with the sandbox TERMINATING or TERMINATED", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await stubborn(context);
    const { sandbox, fileSystemSnapshotIds } = await sandboxes.deleteSandbox({ sandboxId });
    expect(sandbox?.sandboxId).toBe(sandboxId);
    expect([State.TERMINATING, State.TERMINATED]).toContain(stateOf(sandbox));
    expect(fileSystemSnapshotIds).toEqual([]);
  });

  says("it may be repeated without a token, one after the other and at once", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await stubborn(context);
    const request = { sandboxId, gracePeriodSeconds: 60 };
    await Promise.all(Array.from({ length: 5 }, () => sandboxes.deleteSandbox(request)));
    const { sandbox } = await sandboxes.deleteSandbox(request);
    expect(stateOf(sandbox)).toBe(State.TERMINATING);
    await Promise.all(Array.from({ length: 5 }, () => sandboxes.deleteSandbox({ sandboxId })));
    expect(stateOf(await untilEnded(sandboxes, sandboxId))).toBe(State.TERMINATED);
  });

  says(
    "(our choice) a shorter grace shortens the stop, and a longer one does not lengthen it",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await stubborn(context);
      await sandboxes.deleteSandbox({ sandboxId, gracePeriodSeconds: 1 });
      await sandboxes.deleteSandbox({ sandboxId, gracePeriodSeconds: 300 });
      expect(stateOf(await untilEnded(sandboxes, sandboxId))).toBe(State.TERMINATED);
    },
  );

  says("(our choice) of what has ended it is OK, with the record as it is", async (context) => {
    const { sandboxes } = context.bed;
    const { sandboxId } = await started(context, mainScript("exit 4"));
    const ended = await untilEnded(sandboxes, sandboxId);
    const { sandbox } = await sandboxes.deleteSandbox({ sandboxId });
    expect(sandbox).toEqual(ended);
  });

  says("an unknown id is NOT_FOUND", async ({ bed }) => {
    expect(await refusalOf(bed.sandboxes.deleteSandbox({ sandboxId: "sb-none" }))).toMatchObject({
      code: Code.NotFound,
      reason: ErrorReason.SANDBOX_NOT_FOUND,
    });
  });

  says("with allow_missing an unknown id is OK, with nothing in the answer", async ({ bed }) => {
    const answer = await bed.sandboxes.deleteSandbox({ sandboxId: "sb-none", allowMissing: true });
    expect(answer.sandbox).toBeUndefined();
    expect(answer.fileSystemSnapshotIds).toEqual([]);
  });

  says("with allow_missing a known id has its sandbox in the answer", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await running(context);
    for (let again = 0; again < 2; again += 1) {
      const { sandbox } = await sandboxes.deleteSandbox({ sandboxId, allowMissing: true });
      expect(sandbox?.sandboxId).toBe(sandboxId);
      await untilEnded(sandboxes, sandboxId);
    }
  });

  says(
    "afterwards it is found TERMINATING and then ended, and never NOT_FOUND",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await stubborn(context);
      await sandboxes.deleteSandbox({ sandboxId, gracePeriodSeconds: 60 });
      const draining = await sandboxes.getSandbox({ sandboxId });
      const seen = watched(context, sandboxId);
      await sandboxes.deleteSandbox({ sandboxId });
      expect(changes([draining, ...(await seen)])).toEqual([State.TERMINATING, State.TERMINATED]);
      for (let look = 0; look < 10; look += 1) {
        expect(stateOf(await sandboxes.getSandbox({ sandboxId }))).toBe(State.TERMINATED);
        await pause(5);
      }
    },
  );

  says(
    "a JavaScript client's stop: Get, Delete with 10 s of grace, then Get to the end",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await trapping(context, "trap 'exit 0' TERM");
      const request = { sandboxId, gracePeriodSeconds: SDK_GRACE_SECONDS, allowMissing: true };
      const stop = async (): Promise<State> => {
        const before = stateOf(await sandboxes.getSandbox({ sandboxId }));
        if (isTerminal(before)) return before;
        if (before !== State.TERMINATING) await sandboxes.deleteSandbox(request);
        return stateOf(await untilEnded(sandboxes, sandboxId));
      };
      expect(await Promise.all([stop(), stop()])).toEqual([State.TERMINATED, State.TERMINATED]);
      expect(await stop()).toBe(State.TERMINATED);
    },
  );

  says("a client's delete: one Delete without grace, and nothing waited for", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await stubborn(context);
    await sandboxes.deleteSandbox({ sandboxId, gracePeriodSeconds: 0 });
    await eventually(
      async () => (await sandboxes.listSandboxes({ tags: [context.tag] })).sandboxes.length === 0,
    );
  });
});

import { Code } from "@connectrpc/connect";
import { ErrorReason, State } from "@tidybox/protocol";
import { expect } from "vitest";
import { refusalOf, sh, untilEnded } from "../../../packages/local/src/testing/test-service.ts";
import { type CaseContext, section } from "../contract.ts";
import { mainScript, stubborn } from "../main-processes.ts";
import { idleService, ownService } from "../own-service.ts";
import { running, started } from "../sandboxes.ts";
import { stateOf } from "../watched-states.ts";

/** More than any batch that a service might have in mind. */
const MANY = 300;

async function active({ bed }: CaseContext): Promise<readonly string[]> {
  const { sandboxes } = await bed.sandboxes.listSandboxes({});
  return sandboxes.map(({ sandboxId }) => sandboxId);
}

export const purging = section("3.5", (says) => {
  says("by tags: stops what has all of them, and nothing else", async (context) => {
    const { sandboxes } = context.bed;
    const both = await running(context, {}, { tags: ["p", "q"] });
    const one = await running(context, {}, { tags: ["p"] });
    const answer = await sandboxes.purgeSandboxes({ tags: ["q", context.tag, "p"] });
    expect(answer).toMatchObject({ purgeCount: 1, failedSandboxIds: [] });
    expect(stateOf(await sandboxes.getSandbox({ sandboxId: both }))).toBe(State.TERMINATED);
    expect((await sh(sandboxes, one, "echo alive")).stdout).toBe("alive\n");
  });

  says("(our choice) a tag that nobody has, or an empty one, matches nothing", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await running(context);
    for (const tags of [[`${context.tag}x`], [""], [context.tag, ""]])
      expect((await sandboxes.purgeSandboxes({ tags })).purgeCount).toBe(0);
    expect((await sh(sandboxes, sandboxId, "echo alive")).stdout).toBe("alive\n");
  });

  says("purge_all stops all of the caller's, and none of another's", async (context) => {
    await using own = await idleService(context);
    const theirs = await running(context);
    const ours = [await started(own), await started(own)];
    expect(await own.bed.sandboxes.purgeSandboxes({ purgeAll: true })).toMatchObject({
      purgeCount: ours.length,
      failedSandboxIds: [],
    });
    expect(await active(own)).toEqual([]);
    expect((await sh(context.bed.sandboxes, theirs, "echo alive")).stdout).toBe("alive\n");
  });

  says(
    "(our choice) both scopes, or none, are INVALID_ARGUMENT and stop nothing",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context);
      for (const request of [{}, { tags: [context.tag], purgeAll: true }, { dryRun: true }]) {
        expect(await refusalOf(sandboxes.purgeSandboxes(request))).toMatchObject({
          code: Code.InvalidArgument,
          reason: ErrorReason.INVALID_ARGUMENT,
        });
      }
      expect((await sh(sandboxes, sandboxId, "echo alive")).stdout).toBe("alive\n");
    },
  );

  says("only active sandboxes count: what has ended is left out", async (context) => {
    const { sandboxes } = context.bed;
    const ended = await started(context, mainScript("exit 2"));
    const before = await untilEnded(sandboxes, ended.sandboxId);
    await running(context);
    const { purgeCount } = await sandboxes.purgeSandboxes({ tags: [context.tag] });
    expect(purgeCount).toBe(1);
    expect(await sandboxes.getSandbox({ sandboxId: ended.sandboxId })).toEqual(before);
  });

  says("what waits, starts or drains is active, and is stopped too", async (context) => {
    const { sandboxes } = context.bed;
    const draining = await stubborn(context);
    await sandboxes.deleteSandbox({ sandboxId: draining, gracePeriodSeconds: 300 });
    const fresh = await Promise.all(Array.from({ length: 12 }, () => started(context)));
    const { purgeCount } = await sandboxes.purgeSandboxes({ tags: [context.tag] });
    expect(purgeCount).toBe(fresh.length + 1);
    for (const sandboxId of [draining, ...fresh.map((each) => each.sandboxId)])
      expect(stateOf(await sandboxes.getSandbox({ sandboxId }))).toBe(State.TERMINATED);
  });

  says("a dry run counts and stops nothing, and reports no failures", async (context) => {
    const { sandboxes } = context.bed;
    const ids = [await running(context), await running(context)];
    const answer = await sandboxes.purgeSandboxes({ tags: [context.tag], dryRun: true });
    expect(answer).toMatchObject({
      purgeCount: 2,
      failedSandboxIds: [],
      retryableFailedSandboxIds: [],
    });
    for (const sandboxId of ids)
      expect((await sh(sandboxes, sandboxId, "echo alive")).stdout).toBe("alive\n");
  });

  says(
    "what could not be stopped yet is named, and named as worth another try; that ends it",
    async (context) => {
      await using own = await ownService(context, {
        faults: { latency: { stop: "1500ms" }, seed: 1 },
      });
      const { sandboxes } = own.bed;
      const slow = await running(own);
      const purge = () => sandboxes.purgeSandboxes({ purgeAll: true }, { timeoutMs: 800 });
      const first = await purge();
      expect(first).toMatchObject({
        purgeCount: 0,
        failedSandboxIds: [slow],
        retryableFailedSandboxIds: [slow],
      });
      const again = await sandboxes.purgeSandboxes({ purgeAll: true });
      expect(again).toMatchObject({ purgeCount: 1, failedSandboxIds: [] });
      expect((await purge()).purgeCount).toBe(0);
      expect(await active(own)).toEqual([]);
    },
  );

  says(
    "a purge that failed midway has no answer; the same one again converges",
    async (context) => {
      await using own = await ownService(context, { faults: { dropAnswer: { purge: "1x" } } });
      const { sandboxes } = own.bed;
      await running(own);
      const lost = await refusalOf(sandboxes.purgeSandboxes({ purgeAll: true }));
      expect(lost.code).not.toBe(Code.InvalidArgument);
      expect((await sandboxes.purgeSandboxes({ purgeAll: true })).failedSandboxIds).toEqual([]);
      expect(await active(own)).toEqual([]);
    },
  );

  says("a request_id is reserved: UNIMPLEMENTED, and nothing is stopped", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await running(context);
    const request = { tags: [context.tag], requestId: "once" };
    expect(await refusalOf(sandboxes.purgeSandboxes(request))).toMatchObject({
      code: Code.Unimplemented,
    });
    expect((await sh(sandboxes, sandboxId, "echo alive")).stdout).toBe("alive\n");
  });

  says("(our choice) one call stops as many as there are", async (context) => {
    await using own = await idleService(context);
    await Promise.all(Array.from({ length: MANY }, () => started(own)));
    const { purgeCount } = await own.bed.sandboxes.purgeSandboxes({ tags: [own.tag] });
    expect(purgeCount).toBe(MANY);
    expect(await active(own)).toEqual([]);
  });

  says("a purge leaves what is made after it", async (context) => {
    const { sandboxes } = context.bed;
    await running(context);
    await sandboxes.purgeSandboxes({ tags: [context.tag] });
    const later = await running(context);
    expect((await sh(sandboxes, later, "echo alive")).stdout).toBe("alive\n");
  });
});

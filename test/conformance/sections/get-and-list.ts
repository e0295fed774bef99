import { Code } from "@connectrpc/connect";
import { ErrorReason, State } from "@tidybox/protocol";
import { expect } from "vitest";
import {
  refusalOf,
  type ServiceClient,
  type SpecInit,
  untilEnded,
} from "../../../packages/local/src/testing/test-service.ts";
import { type CaseContext, type Exception, section } from "../contract.ts";
import { mainScript } from "../main-processes.ts";
import { idleService } from "../own-service.ts";
import { running, started } from "../sandboxes.ts";

type ListRequest = Parameters<ServiceClient["listSandboxes"]>[0];

/** More than what is kept of ended sandboxes in all. */
const LARGE = { count: 3, annotationBytes: 22 * 1024 * 1024 };

/** Ids of the case's own sandboxes that a filter leaves. */
async function listed(
  { bed, tag }: CaseContext,
  { tags = [], ...rest }: ListRequest = {},
): Promise<readonly string[]> {
  const { sandboxes, nextPageToken } = await bed.sandboxes.listSandboxes({
    tags: [tag, ...tags],
    ...rest,
  });
  expect(nextPageToken).toBe("");
  return sandboxes.map(({ sandboxId }) => sandboxId);
}

async function ended(context: CaseContext, rest: SpecInit = {}): Promise<string> {
  const { sandboxId } = await started(context, mainScript("exit 0"), rest);
  await untilEnded(context.bed.sandboxes, sandboxId);
  return sandboxId;
}

/** Registered, and declared by the sandbox, which does not even mount it. */
const withVolume = (id: string): SpecInit => ({
  volumes: [{ name: "data", source: { case: "volumeId", value: id } }],
});

const noRegisteredVolumes: Exception = {
  cannot: "mount registered volumes",
  instead: async (context) => {
    await using own = await idleService(context);
    expect(await refusalOf(started(own, {}, withVolume("one")))).toMatchObject({
      code: Code.Unimplemented,
      reason: ErrorReason.NOT_IMPLEMENTED,
      message: expect.stringContaining("registered volumes"),
    });
    expect(await listed(own, { volumeIds: ["one"], showTerminated: true })).toEqual([]);
  },
};

export const gettingAndListing = section("3.3", (says) => {
  says("Get finds what has ended, with how it ended", async (context) => {
    const sandboxId = await ended(context);
    const { status } = await context.bed.sandboxes.getSandbox({ sandboxId });
    expect(status).toMatchObject({ state: State.COMPLETED, exitCode: 0 });
  });

  says(
    "(our choice) of what has ended the newest 64 MiB are kept, then the id is unknown",
    async (context) => {
      await using own = await idleService(context);
      const { sandboxes } = own.bed;
      const made: string[] = [];
      for (let count = 0; count < LARGE.count; count += 1) {
        const annotations = { large: "x".repeat(LARGE.annotationBytes) };
        made.push((await started(own, {}, { annotations })).sandboxId);
        await sandboxes.purgeSandboxes({ tags: [own.tag] });
      }
      const newest = await sandboxes.getSandbox({ sandboxId: made.at(-1) ?? "" });
      expect(newest.status?.state).toBe(State.TERMINATED);
      expect(await refusalOf(sandboxes.getSandbox({ sandboxId: made[0] ?? "" }))).toMatchObject({
        code: Code.NotFound,
        reason: ErrorReason.SANDBOX_NOT_FOUND,
      });
    },
    { timeoutSeconds: 60 },
  );

  says("an unknown id is NOT_FOUND with CWSANDBOX_SANDBOX_NOT_FOUND", async ({ bed }) => {
    for (const sandboxId of ["sb-none", "", "../x", "a\nb", "ä".repeat(500)]) {
      expect(await refusalOf(bed.sandboxes.getSandbox({ sandboxId }))).toMatchObject({
        code: Code.NotFound,
        reason: "CWSANDBOX_SANDBOX_NOT_FOUND",
      });
    }
  });

  says("tags: a sandbox must have all of them", async (context) => {
    const both = await running(context, {}, { tags: ["a", "b"] });
    const one = await running(context, {}, { tags: ["a"] });
    expect(await listed(context)).toEqual([both, one]);
    expect(await listed(context, { tags: ["a"] })).toEqual([both, one]);
    expect(await listed(context, { tags: ["b", "a"] })).toEqual([both]);
    expect(await listed(context, { tags: ["a", "none"] })).toEqual([]);
    expect(await listed(context, { tags: ["A"] })).toEqual([]);
  });

  says("runner_ids: any of them will do", async (context) => {
    const sandboxId = await running(context);
    const { status } = await context.bed.sandboxes.getSandbox({ sandboxId });
    const runnerId = status?.runnerId ?? "";
    expect(await listed(context, { runnerIds: ["other", runnerId] })).toEqual([sandboxId]);
    expect(await listed(context, { runnerIds: ["other"] })).toEqual([]);
  });

  says(
    "volume_ids: any of them will do",
    async (context) => {
      await using own = await idleService(context);
      const ids = [];
      for (const volume of ["one", "two", "three"])
        ids.push((await started(own, {}, withVolume(volume))).sandboxId);
      await started(own);
      expect(await listed(own, { volumeIds: ["one", "three"] })).toEqual([ids[0], ids[2]]);
      expect(await listed(own, { volumeIds: ["none"] })).toEqual([]);
    },
    { unless: { process: noRegisteredVolumes, docker: noRegisteredVolumes } },
  );

  says("state: exactly that one", async (context) => {
    const alive = await running(context);
    const completed = await ended(context);
    const all = { showTerminated: true };
    expect(await listed(context, { ...all, state: State.RUNNING })).toEqual([alive]);
    expect(await listed(context, { ...all, state: State.COMPLETED })).toEqual([completed]);
    expect(await listed(context, { ...all, state: State.TERMINATED })).toEqual([]);
  });

  says("(our choice) different filters narrow together", async (context) => {
    const alive = await running(context, {}, { tags: ["a"] });
    await running(context, {}, { tags: ["b"] });
    const completed = await ended(context, { tags: ["a"] });
    const tags = ["a"];
    expect(await listed(context, { tags, state: State.RUNNING })).toEqual([alive]);
    expect(await listed(context, { tags, state: State.COMPLETED })).toEqual([completed]);
    const { status } = await context.bed.sandboxes.getSandbox({ sandboxId: alive });
    const runnerIds = [status?.runnerId ?? ""];
    expect(await listed(context, { tags, runnerIds, state: State.RUNNING })).toEqual([alive]);
    expect(await listed(context, { tags, runnerIds: ["other"], state: State.RUNNING })).toEqual([]);
  });

  says("only active sandboxes are listed unless something is said", async (context) => {
    const alive = await running(context);
    await ended(context);
    expect(await listed(context)).toEqual([alive]);
  });

  says("show_terminated adds those that have ended, and leaves the others in", async (context) => {
    const alive = await running(context);
    const completed = await ended(context);
    expect(await listed(context, { showTerminated: true })).toEqual([alive, completed]);
  });

  says("asking for a terminal state finds it without show_terminated", async (context) => {
    const completed = await ended(context);
    await running(context);
    expect(await listed(context, { state: State.COMPLETED })).toEqual([completed]);
  });

  says("no caller sees another's sandboxes: each service has its own", async (context) => {
    await using own = await idleService(context);
    const theirs = await running(context);
    const ours = (await started(own)).sandboxId;
    expect(await listed(context, { showTerminated: true })).toEqual([theirs]);
    expect(await listed(own, { showTerminated: true })).toEqual([ours]);
    expect(await refusalOf(own.bed.sandboxes.getSandbox({ sandboxId: theirs }))).toMatchObject({
      code: Code.NotFound,
    });
  });

  says("(our choice) the oldest is listed first", async (context) => {
    await using own = await idleService(context);
    const made: string[] = [];
    for (let count = 0; count < 30; count += 1) made.push((await started(own)).sandboxId);
    expect(await listed(own)).toEqual(made);
  });
});

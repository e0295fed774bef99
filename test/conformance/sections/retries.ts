import { randomUUID } from "node:crypto";
import { Code } from "@connectrpc/connect";
import { RetryInfoSchema, SnapshotState, State } from "@tidybox/protocol";
import { expect } from "vitest";
import {
  refusalOf,
  type Refusal,
  type SpecInit,
  until,
} from "../../../packages/local/src/testing/test-service.ts";
import { type CaseContext, type Exception, section } from "../contract.ts";
import { ownService, SMALL, smallService } from "../own-service.ts";
import { running, started } from "../sandboxes.ts";
import { stateOf } from "../watched-states.ts";

/** Longer hints than this are cut by the clients. */
const LONGEST_HINT_SECONDS = 10;

function hintSeconds({ error }: Refusal): number {
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return Number(delay?.seconds ?? 0n) + (delay?.nanos ?? 0) / 1e9;
}

async function countOf({ bed, tag }: CaseContext): Promise<number> {
  const { sandboxes } = await bed.sandboxes.listSandboxes({ tags: [tag], showTerminated: true });
  return sandboxes.length;
}

const scratch: SpecInit = { volumes: [{ name: "v", source: { case: "scratch", value: {} } }] };
const mounted = { volumeMounts: [{ volume: "v", mountPath: "/v" }] };

const noSnapshots: Exception = {
  cannot: "have snapshots, whose RPCs are the ones that clients repeat",
  instead: async (context) => {
    const sandboxId = await running(context, {}, scratch);
    const request = { sandboxId, requestId: randomUUID() };
    for (let attempt = 0; attempt < 2; attempt += 1) {
      expect(
        await refusalOf(context.bed.sandboxes.createFileSystemSnapshot(request)),
      ).toMatchObject({ code: Code.FailedPrecondition, reason: "CWSANDBOX_FSS_NOT_SUPPORTED" });
    }
  },
};

export const retries = section("5.4", (says) => {
  says(
    "a create that found no room has made nothing, and succeeds when there is some",
    async (context) => {
      await using own = await smallService(context);
      const ids: string[] = [];
      for (let count = 0; count < SMALL; count += 1) ids.push((await started(own)).sandboxId);
      const refused = await refusalOf(started(own));
      expect(refused.code).toBe(Code.ResourceExhausted);
      expect(await countOf(own)).toBe(SMALL);
      await own.bed.sandboxes.deleteSandbox({ sandboxId: ids[0] ?? "" });
      await started(own);
      expect(await countOf(own)).toBe(SMALL + 1);
    },
  );

  says("creates that come at once never make more than there is room for", async (context) => {
    await using own = await smallService(context);
    const answers = await Promise.allSettled(Array.from({ length: 20 }, () => started(own)));
    const refused = answers.flatMap((each) => (each.status === "rejected" ? [each.reason] : []));
    expect(refused).toHaveLength(20 - SMALL);
    for (const error of refused) expect(error).toMatchObject({ code: Code.ResourceExhausted });
    expect(await countOf(own)).toBe(SMALL);
  });

  says(
    "without room a create that was made before is still answered by its token",
    async (context) => {
      await using own = await smallService(context);
      const spec = { containers: [{ name: "main", image: "python:3.11" }], tags: [own.tag] };
      const request = { sandbox: { spec }, requestId: randomUUID() };
      const first = await own.bed.sandboxes.createSandbox(request);
      for (let count = 1; count < SMALL; count += 1) await started(own);
      const again = await own.bed.sandboxes.createSandbox(request);
      expect(again.sandboxId).toBe(first.sandboxId);
      expect(await refusalOf(started(own))).toMatchObject({ code: Code.ResourceExhausted });
    },
  );

  says(
    "(our choice) sandboxes that start or stop take room, and those that have ended take none",
    async (context) => {
      await using own = await ownService(context, {
        maxSandboxes: 1,
        faults: { latency: { stop: "700ms" } },
      });
      const { sandboxes } = own.bed;
      const { sandboxId } = await started(own);
      const full = { code: Code.ResourceExhausted, reason: "CWSANDBOX_RUNNER_CAPACITY_EXHAUSTED" };
      expect(await refusalOf(started(own))).toMatchObject(full);
      await until(sandboxes, sandboxId, (state) => state === State.RUNNING);
      expect(await refusalOf(started(own))).toMatchObject(full);
      const { sandbox } = await sandboxes.deleteSandbox({ sandboxId });
      expect(stateOf(sandbox)).toBe(State.TERMINATING);
      expect(await refusalOf(started(own))).toMatchObject(full);
      await until(sandboxes, sandboxId, (state) => state === State.TERMINATED);
      await started(own);
    },
  );

  says(
    "a call that was refused as UNAVAILABLE has done nothing, and may be repeated",
    async (context) => {
      await using own = await ownService(context, {
        faults: { fail: { create: "1x", get: "2x" }, latency: { start: "60m" } },
      });
      expect(await refusalOf(started(own))).toMatchObject({ code: Code.Unavailable });
      expect(await countOf(own)).toBe(0);
      const { sandboxId } = await started(own);
      const get = () => own.bed.sandboxes.getSandbox({ sandboxId });
      for (let attempt = 0; attempt < 2; attempt += 1)
        expect(await refusalOf(get())).toMatchObject({ code: Code.Unavailable });
      expect((await get()).sandboxId).toBe(sandboxId);
    },
  );

  says("a create whose answer was lost is found again by its request_id", async (context) => {
    await using own = await ownService(context, {
      faults: { dropAnswer: { create: "1x" }, latency: { start: "60m" } },
    });
    const { sandboxes } = own.bed;
    const requestId = randomUUID();
    const spec = {
      containers: [{ name: "main", image: "python:3.11" }],
      tags: [own.tag],
    };
    const create = () => sandboxes.createSandbox({ sandbox: { spec }, requestId });
    await refusalOf(create());
    expect(await countOf(own)).toBe(1);
    const { sandboxId } = await create();
    expect((await sandboxes.getSandbox({ sandboxId })).sandboxId).toBe(sandboxId);
    expect(await countOf(own)).toBe(1);
  });

  says("RetryInfo is positive, and no longer than clients wait", async (context) => {
    await using own = await smallService(context);
    for (let count = 0; count < SMALL; count += 1) await started(own);
    const seconds = hintSeconds(await refusalOf(started(own)));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(LONGEST_HINT_SECONDS);
  });

  says("what is final carries no RetryInfo", async (context) => {
    const { sandboxes } = context.bed;
    for (const call of [
      () => sandboxes.getSandbox({ sandboxId: "sb-none" }),
      () => sandboxes.createSandbox({}),
      () => started(context, {}, { instanceType: "huge" }),
    ])
      expect((await refusalOf(call())).error.findDetails(RetryInfoSchema)).toEqual([]);
  });

  says(
    "a snapshot's create may be repeated with its token, and makes one snapshot",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context, mounted, scratch);
      const request = { sandboxId, requestId: randomUUID() };
      const answers = await Promise.all(
        Array.from({ length: 4 }, () => sandboxes.createFileSystemSnapshot(request)),
      );
      const ids = new Set(answers.map(({ fileSystemSnapshotId }) => fileSystemSnapshotId));
      expect(ids.size).toBe(1);
      const { fileSystemSnapshots } = await sandboxes.listFileSystemSnapshots({
        sourceSandboxId: sandboxId,
      });
      expect(fileSystemSnapshots).toHaveLength(1);
    },
    { unless: { process: noSnapshots } },
  );

  says(
    "a snapshot's delete that is repeated finds NOT_FOUND, by which a client knows it is done",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context, mounted, scratch);
      const { fileSystemSnapshotId } = await sandboxes.createFileSystemSnapshot({ sandboxId });
      const snapshot = { fileSystemSnapshotId };
      for (let ready = false; !ready;) {
        const { state } = await sandboxes.getFileSystemSnapshot(snapshot);
        ready = state === SnapshotState.READY;
      }
      await sandboxes.deleteFileSystemSnapshot(snapshot);
      expect(await refusalOf(sandboxes.deleteFileSystemSnapshot(snapshot))).toMatchObject({
        code: Code.NotFound,
        reason: "CWSANDBOX_FSS_NOT_FOUND",
      });
    },
    { unless: { process: noSnapshots } },
  );
});

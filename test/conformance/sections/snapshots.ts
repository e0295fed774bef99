import { Code } from "@connectrpc/connect";
import { ErrorReason, SnapshotState, SnapshotTrigger, State } from "@tidybox/protocol";
import { expect } from "vitest";
import { sh, untilEnded } from "../../../packages/local/src/testing/test-service.ts";
import { openBed } from "../beds.ts";
import { section, type SentenceOptions } from "../contract.ts";
import { NOTHING_STARTS, ownService } from "../own-service.ts";
import { expectReason, expectRefused } from "../refusals.ts";
import { running, started } from "../sandboxes.ts";
import { failedSnapshot, mounting, NO_SNAPSHOTS, taken, untilTaken } from "../volumes.ts";

const UNLESS: SentenceOptions = { unless: { process: NO_SNAPSHOTS } };
const INVALID = { code: Code.InvalidArgument, reason: ErrorReason.INVALID_ARGUMENT };

/** Taking and reading them; restores and deletes are in `snapshot-restore.ts`. */
export const snapshots = section("3.10", (says) => {
  says(
    "a snapshot is asked for and answered at once as CREATING, and polling Get finds it READY",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context, ...mounting([{ name: "data" }]));
      const begun = await sandboxes.createFileSystemSnapshot({ sandboxId });
      expect(begun).toMatchObject({ state: SnapshotState.CREATING, sourceSandboxId: sandboxId });
      const { fileSystemSnapshotId } = begun;
      expect(fileSystemSnapshotId).not.toBe("");
      const ready = await untilTaken(context, fileSystemSnapshotId);
      expect(ready).toMatchObject({ fileSystemSnapshotId, state: SnapshotState.READY });
    },
    UNLESS,
  );

  says(
    "its size is 0 and its complete time unset until it is READY",
    async (context) => {
      const sandboxId = await running(context, ...mounting([{ name: "data" }]));
      await sh(context.bed.sandboxes, sandboxId, "echo some > /data/file");
      const begun = await context.bed.sandboxes.createFileSystemSnapshot({ sandboxId });
      expect(begun).toMatchObject({ sizeBytes: 0n, stateReason: "" });
      expect(begun.completeTime).toBeUndefined();
      const ready = await untilTaken(context, begun.fileSystemSnapshotId);
      expect(ready.state).toBe(SnapshotState.READY);
      expect(ready.sizeBytes).toBeGreaterThan(0n);
      expect(ready.completeTime?.seconds).toBeGreaterThanOrEqual(begun.createTime?.seconds ?? 0n);
      expect(ready.createTime).toEqual(begun.createTime);
      expect(ready.updatedAt).toEqual(ready.completeTime);
    },
    UNLESS,
  );

  says(
    "one that cannot be taken is FAILED, with a reason and a complete time",
    async (context) => {
      await using own = await ownService(context, NOTHING_STARTS);
      const failed = await untilTaken(own, await failedSnapshot(own));
      expect(failed).toMatchObject({ state: SnapshotState.FAILED, sizeBytes: 0n });
      expect(failed.stateReason).toContain(ErrorReason.FSS_CREATE_FAILED);
      expect(failed.completeTime).toBeDefined();
    },
    UNLESS,
  );

  says(
    "only a RUNNING sandbox can be asked for one: not one that has ended",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context, ...mounting([{ name: "data" }]));
      await sandboxes.deleteSandbox({ sandboxId });
      await untilEnded(sandboxes, sandboxId);
      await expectReason(
        sandboxes.createFileSystemSnapshot({ sandboxId }),
        Code.FailedPrecondition,
        ErrorReason.SANDBOX_NOT_RUNNING,
      );
    },
    UNLESS,
  );

  says(
    "only a RUNNING sandbox can be asked for one: not one that still starts",
    async (context) => {
      await using own = await ownService(context, NOTHING_STARTS);
      const { sandboxes } = own.bed;
      const { sandboxId } = await started(own, ...mounting([{ name: "data" }]));
      const call = sandboxes.createFileSystemSnapshot({ sandboxId }, { timeoutMs: 5000 });
      await expectReason(call, Code.FailedPrecondition, ErrorReason.SANDBOX_NOT_RUNNING);
      const { status } = await sandboxes.getSandbox({ sandboxId });
      expect(status?.state).toBe(State.CREATING);
    },
    UNLESS,
  );

  says("a snapshot of an unknown sandbox is NOT_FOUND", async ({ bed }) => {
    await expectReason(
      bed.sandboxes.createFileSystemSnapshot({ sandboxId: "sb-unknown" }),
      Code.NotFound,
      ErrorReason.SANDBOX_NOT_FOUND,
    );
  });

  says(
    "the volume may be left unnamed only where there is a single scratch volume",
    async (context) => {
      const { sandboxes } = context.bed;
      const two = await running(context, ...mounting([{ name: "a" }, { name: "b" }]));
      const field = "scratch_volume_name";
      await expectRefused(sandboxes.createFileSystemSnapshot({ sandboxId: two }), {
        ...INVALID,
        field,
      });
      const named = await sandboxes.createFileSystemSnapshot({
        sandboxId: two,
        scratchVolumeName: "b",
      });
      const ready = await untilTaken(context, named.fileSystemSnapshotId);
      expect(ready).toMatchObject({ state: SnapshotState.READY, sourceVolumeName: "b" });
    },
    UNLESS,
  );

  says(
    "a name of no volume, and a sandbox without any, are invalid",
    async (context) => {
      const { sandboxes } = context.bed;
      const one = await running(context, ...mounting([{ name: "a" }]));
      const none = await running(context);
      const refused = { ...INVALID, field: "scratch_volume_name" };
      for (const request of [{ sandboxId: one, scratchVolumeName: "c" }, { sandboxId: none }])
        await expectRefused(sandboxes.createFileSystemSnapshot(request), refused);
    },
    UNLESS,
  );

  says(
    "a volume without a source is a scratch volume, and can be snapshotted",
    async (context) => {
      const [container] = mounting([{ name: "data" }]);
      const sandboxId = await running(context, container, { volumes: [{ name: "data" }] });
      await taken(context, sandboxId);
    },
    UNLESS,
  );

  says(
    "a request id of 128 bytes in UTF-8 is taken and echoed in the record; a longer one is invalid",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context, ...mounting([{ name: "data" }]));
      const requestId = `${context.tag}-${"é".repeat(64)}`.slice(-64);
      expect(Buffer.byteLength(requestId)).toBe(128);
      const begun = await sandboxes.createFileSystemSnapshot({ sandboxId, requestId });
      expect(begun.requestId).toBe(requestId);
      const ready = await untilTaken(context, begun.fileSystemSnapshotId);
      expect(ready.requestId).toBe(requestId);
      const longer = sandboxes.createFileSystemSnapshot({ sandboxId, requestId: `${requestId}x` });
      await expectRefused(longer, { ...INVALID, field: "request_id" });
    },
    UNLESS,
  );

  says(
    "(our choice) the same request id again answers with the first snapshot; for another volume it is invalid",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context, ...mounting([{ name: "a" }, { name: "b" }]));
      const request = { sandboxId, requestId: context.tag, scratchVolumeName: "a" };
      const [first, second] = await Promise.all([
        sandboxes.createFileSystemSnapshot(request),
        sandboxes.createFileSystemSnapshot(request),
      ]);
      expect(second.fileSystemSnapshotId).toBe(first.fileSystemSnapshotId);
      const other = sandboxes.createFileSystemSnapshot({ ...request, scratchVolumeName: "b" });
      await expectRefused(other, { ...INVALID, field: "request_id" });
    },
    UNLESS,
  );

  says(
    "the record tells its trigger, its volume, and the bucket of the settings",
    async (context) => {
      const { sandboxes, settings } = context.bed;
      const sandboxId = await running(context, ...mounting([{ name: "data" }]));
      const manual = await sandboxes.getFileSystemSnapshot({
        fileSystemSnapshotId: await taken(context, sandboxId),
      });
      const { effectiveBucketName } = await settings.getFileSystemSnapshotBucketConfig({});
      expect(manual).toMatchObject({
        trigger: SnapshotTrigger.MANUAL,
        sourceVolumeName: "data",
        objectBucket: effectiveBucketName,
      });
      const { fileSystemSnapshotIds } = await sandboxes.deleteSandbox({
        sandboxId,
        snapshotVolumes: ["data"],
      });
      const [onDelete = ""] = fileSystemSnapshotIds;
      expect((await untilTaken(context, onDelete)).trigger).toBe(SnapshotTrigger.ON_DELETE);
    },
    UNLESS,
  );

  says(
    "they are listed page by page, of one sandbox where it is named and of all where it is not",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context, ...mounting([{ name: "data" }]));
      const other = await running(context, ...mounting([{ name: "data" }]));
      const ids = [await taken(context, sandboxId), await taken(context, sandboxId)];
      const ofOther = await taken(context, other);
      const listed: string[] = [];
      let pageToken = "";
      do {
        const page = await sandboxes.listFileSystemSnapshots({
          sourceSandboxId: sandboxId,
          pageSize: 1,
          pageToken,
        });
        expect(page.fileSystemSnapshots).toHaveLength(1);
        listed.push(...page.fileSystemSnapshots.map((each) => each.fileSystemSnapshotId));
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      expect(listed).toEqual(ids);
      const all = await sandboxes.listFileSystemSnapshots({});
      const found = all.fileSystemSnapshots.map((each) => each.fileSystemSnapshotId);
      expect(found).toEqual(expect.arrayContaining([...ids, ofOther]));
    },
    UNLESS,
  );

  says("(our choice) a foreign page token or a negative page size is invalid", async ({ bed }) => {
    const { sandboxes } = bed;
    await expectRefused(sandboxes.listFileSystemSnapshots({ pageToken: "!" }), {
      ...INVALID,
      field: "page_token",
    });
    await expectRefused(sandboxes.listFileSystemSnapshots({ pageSize: -1 }), {
      ...INVALID,
      field: "page_size",
    });
  });

  says("an organization without snapshots is told that they are not supported", async (context) => {
    const bed = await openBed("process");
    try {
      await NO_SNAPSHOTS.instead({ ...context, bed });
    } finally {
      await bed.service.close();
    }
  });
});

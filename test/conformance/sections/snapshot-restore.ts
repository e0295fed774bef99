import { Code } from "@connectrpc/connect";
import { ErrorReason, SnapshotState } from "@tidybox/protocol";
import { expect } from "vitest";
import { refusalOf, sh, untilEnded } from "../../../packages/local/src/testing/test-service.ts";
import { type CaseContext, section, type SentenceOptions } from "../contract.ts";
import { NOTHING_STARTS, ownService } from "../own-service.ts";
import { expectReason } from "../refusals.ts";
import { running, started } from "../sandboxes.ts";
import { failedSnapshot, mounting, NO_SNAPSHOTS, taken, untilTaken } from "../volumes.ts";

const UNLESS: SentenceOptions = { unless: { process: NO_SNAPSHOTS } };

const from = (restoreFromSnapshotId: string) =>
  mounting([{ name: "data", scratch: { restoreFromSnapshotId } }]);

/** Tries until a call came before its snapshot was taken, which large ones make likely. */
async function expectNotReady(
  context: CaseContext,
  call: (fileSystemSnapshotId: string) => Promise<unknown>,
): Promise<void> {
  const { sandboxes } = context.bed;
  const sandboxId = await running(context, ...mounting([{ name: "data" }]));
  await sh(sandboxes, sandboxId, "head -c 30000000 /dev/zero > /data/large");
  for (;;) {
    const { fileSystemSnapshotId } = await sandboxes.createFileSystemSnapshot({ sandboxId });
    const refused = await refusalOf(call(fileSystemSnapshotId)).catch(() => undefined);
    await untilTaken(context, fileSystemSnapshotId).catch(() => undefined);
    if (refused === undefined) continue;
    expect(refused).toMatchObject({
      code: Code.FailedPrecondition,
      reason: ErrorReason.FSS_NOT_READY,
    });
    return;
  }
}

export const snapshotRestore = section("3.10", (says) => {
  says(
    "a snapshot holds a scratch volume of the sandbox, and nothing else of its file system",
    async (context) => {
      const { sandboxes } = context.bed;
      const source = await running(context, ...mounting([{ name: "data" }]));
      await sh(sandboxes, source, "echo kept > /data/file; echo gone > /tmp/file");
      const restored = await running(context, ...from(await taken(context, source)));
      const shown = await sh(sandboxes, restored, "cat /data/file; ls -A /data /tmp");
      expect(shown.stdout).toMatch(/^kept\n/);
      expect(shown.stdout.match(/file/g)).toHaveLength(1);
    },
    UNLESS,
  );

  says(
    "it outlives its sandbox: another one starts from it, and its record is kept",
    async (context) => {
      const { sandboxes } = context.bed;
      const source = await running(context, ...mounting([{ name: "data" }]));
      await sh(sandboxes, source, "mkdir /data/deep; printf 'a\\0b' > /data/deep/file");
      const fileSystemSnapshotId = await taken(context, source);
      await sandboxes.deleteSandbox({ sandboxId: source });
      await untilEnded(sandboxes, source);
      const kept = await sandboxes.getFileSystemSnapshot({ fileSystemSnapshotId });
      expect(kept).toMatchObject({ state: SnapshotState.READY, sourceSandboxId: source });
      const restored = await running(context, ...from(fileSystemSnapshotId));
      const { content } = await sandboxes.readFile({
        sandboxId: restored,
        path: "/data/deep/file",
      });
      expect(Buffer.from(content).toString()).toBe("a\0b");
    },
    UNLESS,
  );

  says(
    "what the restored sandbox writes is its own: the snapshot stays as it was",
    async (context) => {
      const { sandboxes } = context.bed;
      const source = await running(context, ...mounting([{ name: "data" }]));
      await sh(sandboxes, source, "echo first > /data/file");
      const snapshot = await taken(context, source);
      const one = await running(context, ...from(snapshot));
      await sh(sandboxes, one, "echo second > /data/file");
      const two = await running(context, ...from(snapshot));
      expect((await sh(sandboxes, two, "cat /data/file")).stdout).toBe("first\n");
      expect((await sh(sandboxes, source, "cat /data/file")).stdout).toBe("first\n");
    },
    UNLESS,
  );

  says(
    "nor does any other sandbox see it, in one that is large either, nor is what was deleted in a snapshot of it",
    async (context) => {
      const { sandboxes } = context.bed;
      const shown = async (sandboxId: string): Promise<string> => {
        const show = "cd /data; find . | sort; cat deep/file; wc -c < large; stat -c %a deep";
        return (await sh(sandboxes, sandboxId, show)).stdout;
      };
      const source = await running(context, ...mounting([{ name: "data" }]));
      const fill =
        "cd /data; head -c 6000000 /dev/urandom > large; mkdir -m 750 deep gone; echo 1 > deep/file; touch gone/file";
      await sh(sandboxes, source, fill);
      const before = await shown(source);
      const snapshot = await taken(context, source);
      const both = Promise.all(
        [from(snapshot), from(snapshot)].map((spec) => running(context, ...spec)),
      );
      const [one = "", two = ""] = await both;
      expect(await shown(one)).toBe(before);
      const change =
        "cd /data; rm -r gone; mkdir gone made; echo 2 >> deep/file; chmod 700 deep; mv large made; echo 3 > large";
      expect(await sh(sandboxes, one, change)).toMatchObject({ exitCode: 0 });
      const after = await shown(one);
      expect(await shown(two)).toBe(before);
      const second = await taken(context, one);
      await sandboxes.deleteFileSystemSnapshot({ fileSystemSnapshotId: snapshot });
      expect(await shown(two)).toBe(before);
      expect(await shown(await running(context, ...from(second)))).toBe(after);
    },
    UNLESS,
  );

  says(
    "deleting one answers with its record, and later calls say NOT_FOUND",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context, ...mounting([{ name: "data" }]));
      const fileSystemSnapshotId = await taken(context, sandboxId);
      const deleted = await sandboxes.deleteFileSystemSnapshot({ fileSystemSnapshotId });
      expect(deleted).toMatchObject({ fileSystemSnapshotId, sourceSandboxId: sandboxId });
      for (const call of [
        sandboxes.getFileSystemSnapshot({ fileSystemSnapshotId }),
        sandboxes.deleteFileSystemSnapshot({ fileSystemSnapshotId }),
        started(context, ...from(fileSystemSnapshotId)),
      ])
        await expectReason(call, Code.NotFound, ErrorReason.FSS_NOT_FOUND);
      const { fileSystemSnapshots } = await sandboxes.listFileSystemSnapshots({
        sourceSandboxId: sandboxId,
      });
      expect(fileSystemSnapshots).toEqual([]);
    },
    UNLESS,
  );

  says(
    "deleting an absent one is a success where that was allowed, and else NOT_FOUND",
    async ({ bed }) => {
      const fileSystemSnapshotId = "fss-unknown";
      await bed.sandboxes.deleteFileSystemSnapshot({ fileSystemSnapshotId, allowMissing: true });
      await expectReason(
        bed.sandboxes.deleteFileSystemSnapshot({ fileSystemSnapshotId }),
        Code.NotFound,
        ErrorReason.FSS_NOT_FOUND,
      );
    },
  );

  says(
    "a restored sandbox keeps its data when the snapshot is deleted",
    async (context) => {
      const { sandboxes } = context.bed;
      const source = await running(context, ...mounting([{ name: "data" }]));
      await sh(sandboxes, source, "echo kept > /data/file");
      const fileSystemSnapshotId = await taken(context, source);
      // Begun, but perhaps not yet restored when the snapshot goes.
      const { sandboxId } = await started(context, ...from(fileSystemSnapshotId));
      await sandboxes.deleteFileSystemSnapshot({ fileSystemSnapshotId });
      expect((await sh(sandboxes, sandboxId, "cat /data/file")).stdout).toBe("kept\n");
    },
    UNLESS,
  );

  says(
    "one that is not yet READY cannot be deleted",
    (context) =>
      expectNotReady(context, (fileSystemSnapshotId) =>
        context.bed.sandboxes.deleteFileSystemSnapshot({ fileSystemSnapshotId }),
      ),
    UNLESS,
  );

  says(
    "nor can a sandbox start from it",
    (context) =>
      expectNotReady(context, (fileSystemSnapshotId) =>
        started(context, ...from(fileSystemSnapshotId)),
      ),
    UNLESS,
  );

  says(
    "a sandbox that starts from an unknown snapshot is refused with the snapshot's reason",
    async (context) => {
      await expectReason(
        started(context, ...from("fss-unknown")),
        Code.NotFound,
        ErrorReason.FSS_NOT_FOUND,
      );
    },
    UNLESS,
  );

  says(
    "(our choice) a FAILED snapshot is not ready either, and can be deleted",
    async (context) => {
      await using own = await ownService(context, NOTHING_STARTS);
      const fileSystemSnapshotId = await failedSnapshot(own);
      expect((await untilTaken(own, fileSystemSnapshotId)).state).toBe(SnapshotState.FAILED);
      await expectReason(
        started(own, ...from(fileSystemSnapshotId)),
        Code.FailedPrecondition,
        ErrorReason.FSS_NOT_READY,
      );
      await own.bed.sandboxes.deleteFileSystemSnapshot({ fileSystemSnapshotId });
    },
    UNLESS,
  );

  says(
    "a single volume `workspace` with an empty scratch message is mounted, and comes back in the spec",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context, ...mounting([{ name: "workspace" }]));
      const written = await sh(sandboxes, sandboxId, "echo x > /workspace/file && ls /workspace");
      expect(written.stdout).toBe("file\n");
      const { spec } = await sandboxes.getSandbox({ sandboxId });
      expect(spec?.volumes).toMatchObject([{ name: "workspace", source: { case: "scratch" } }]);
      await taken(context, sandboxId);
    },
    UNLESS,
  );
});

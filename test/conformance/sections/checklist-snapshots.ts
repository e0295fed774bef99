import { Code } from "@connectrpc/connect";
import { ErrorReason, SnapshotState } from "@tidybox/protocol";
import { expect } from "vitest";
import { sh, untilEnded } from "../../../packages/local/src/testing/test-service.ts";
import { section } from "../contract.ts";
import { expectReason } from "../refusals.ts";
import { running } from "../sandboxes.ts";
import { mounting, NO_SNAPSHOTS, untilTaken } from "../volumes.ts";

/** As a whole what the sections on snapshots say one by one. */
export const checklistSnapshots = section("8.14", (says) => {
  says(
    "snapshots are CREATING, then READY, kept after the sandbox is gone, and NOT_FOUND once deleted",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context, ...mounting([{ name: "data" }]));
      await sh(sandboxes, sandboxId, "echo x > /data/file");
      const begun = await sandboxes.createFileSystemSnapshot({ sandboxId });
      expect(begun.state).toBe(SnapshotState.CREATING);
      const { fileSystemSnapshotId } = begun;
      expect((await untilTaken(context, fileSystemSnapshotId)).state).toBe(SnapshotState.READY);
      await sandboxes.deleteSandbox({ sandboxId });
      await untilEnded(sandboxes, sandboxId);
      const kept = await sandboxes.getFileSystemSnapshot({ fileSystemSnapshotId });
      expect(kept.state).toBe(SnapshotState.READY);
      await sandboxes.deleteFileSystemSnapshot({ fileSystemSnapshotId });
      await expectReason(
        sandboxes.getFileSystemSnapshot({ fileSystemSnapshotId }),
        Code.NotFound,
        ErrorReason.FSS_NOT_FOUND,
      );
    },
    { unless: { process: NO_SNAPSHOTS } },
  );
});

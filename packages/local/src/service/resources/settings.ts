import { create } from "@bufbuild/protobuf";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import {
  ErrorReason,
  type FileSystemSnapshotBucketConfig,
  FileSystemSnapshotBucketConfigSchema,
  FileSystemSnapshotBucketMode,
  type SettingsService,
} from "@tidybox/protocol";
import { failure, invalidArgument } from "../failures.ts";

/** What the archives of this machine are called where a bucket's name is expected. */
export const LOCAL_BUCKET = "local";

const FIELDS = ["bucket_name", "region", "mode"] as const;

/** Where snapshots are kept: the service's own folder, which stands in for the managed bucket. */
export function settingsService(): Pick<
  ServiceImpl<typeof SettingsService>,
  "getFileSystemSnapshotBucketConfig" | "updateFileSystemSnapshotBucketConfig"
> {
  return {
    getFileSystemSnapshotBucketConfig: managedBucket,
    updateFileSystemSnapshotBucketConfig: ({ fileSystemSnapshotBucketConfig, updateMask }) => {
      const wanted =
        fileSystemSnapshotBucketConfig ?? create(FileSystemSnapshotBucketConfigSchema, {});
      const paths = updateMask?.paths ?? [];
      const unknown = paths.find((path) => !(FIELDS as readonly string[]).includes(path));
      if (unknown !== undefined) {
        const description = `has no field ${JSON.stringify(unknown)}; there are ${FIELDS.join(", ")}`;
        throw invalidArgument([{ field: "update_mask", description }]);
      }
      const covers = (field: (typeof FIELDS)[number]): boolean =>
        paths.length === 0 || paths.includes(field);
      // An empty name goes back to the managed bucket (reference, Appendix A): we never left it.
      const ownBucket =
        (covers("bucket_name") && wanted.bucketName !== "") ||
        (covers("mode") && wanted.mode === FileSystemSnapshotBucketMode.BRING_YOUR_OWN);
      if (ownBucket) {
        throw failure(
          Code.FailedPrecondition,
          ErrorReason.NOT_IMPLEMENTED,
          "file_system_snapshot_bucket_config.bucket_name: the local service keeps snapshots in its own folder and cannot write to a bucket: leave bucket_name empty",
          {
            violations: [
              {
                field: "file_system_snapshot_bucket_config.bucket_name",
                description: "there is only the managed bucket here: leave it empty",
              },
            ],
          },
        );
      }
      if (covers("region") && wanted.region !== "") {
        const description = "must be empty: the managed bucket of this machine has no region";
        throw invalidArgument([
          { field: "file_system_snapshot_bucket_config.region", description },
        ]);
      }
      return managedBucket();
    },
  };
}

function managedBucket(): FileSystemSnapshotBucketConfig {
  return create(FileSystemSnapshotBucketConfigSchema, {
    mode: FileSystemSnapshotBucketMode.CW_MANAGED,
    effectiveBucketName: LOCAL_BUCKET,
  });
}

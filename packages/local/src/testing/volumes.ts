import { type FileSystemSnapshot, SnapshotState, StorageMedium } from "@tidybox/protocol";
import { pause, type ServiceClient, type SpecInit, specOf } from "./test-service.ts";

export interface VolumeInit {
  readonly name: string;
  readonly path?: string;
  readonly memory?: boolean;
  /** Id of the snapshot that it begins with. */
  readonly from?: string;
  readonly subPath?: string;
  readonly readOnly?: boolean;
}

/** A spec with scratch volumes that are mounted. */
export function withVolumes(volumes: readonly VolumeInit[], container: object = {}): SpecInit {
  return specOf(
    {
      ...container,
      volumeMounts: volumes.map(({ name, path = `/${name}`, subPath = "", readOnly = false }) => ({
        volume: name,
        mountPath: path,
        subPath,
        readOnly,
      })),
    },
    {
      volumes: volumes.map(({ name, memory = false, from = "" }) => ({
        name,
        source: {
          case: "scratch",
          value: {
            size: memory ? "64Mi" : "",
            medium: memory ? StorageMedium.MEMORY : StorageMedium.DISK,
            restoreFromSnapshotId: from,
          },
        },
      })),
    },
  );
}

/** Takes a snapshot, and waits until it is READY or FAILED. */
export async function takeSnapshot(
  client: ServiceClient,
  sandboxId: string,
  scratchVolumeName = "",
): Promise<FileSystemSnapshot> {
  const begun = await client.createFileSystemSnapshot({ sandboxId, scratchVolumeName });
  return settledSnapshot(client, begun.fileSystemSnapshotId);
}

export async function settledSnapshot(
  client: ServiceClient,
  fileSystemSnapshotId: string,
): Promise<FileSystemSnapshot> {
  for (;;) {
    const snapshot = await client.getFileSystemSnapshot({ fileSystemSnapshotId });
    if (snapshot.state !== SnapshotState.CREATING) return snapshot;
    await pause(10);
  }
}

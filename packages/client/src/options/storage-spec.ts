import { create } from "@bufbuild/protobuf";
import {
  MAX_MOUNT_PATH_LENGTH,
  MAX_OBJECT_PREFIX_BYTES,
  type ObjectStorageAccess,
  ObjectStorageAccessSchema,
  ObjectStoragePermission,
  RESERVED_MOUNT_PATHS,
  type SandboxVolume,
  SandboxVolumeSchema,
  StorageMedium,
  VOLUME_NAME_PATTERN,
} from "@tidybox/protocol";
import { checkAbsolutePath, checkText, checkUnique } from "./checks.ts";
import { invalidOption } from "./invalid-option.ts";
import type { ObjectStorageOptions, VolumeOptions } from "./storage-options.ts";
import type { VolumeMountOptions } from "./container-options.ts";

export function toVolumes(volumes: readonly VolumeOptions[]): SandboxVolume[] {
  checkUnique(
    volumes.map(({ name }) => name),
    "volumes (names)",
  );
  return volumes.map((volume, index) => toVolume(volume, `volumes[${index}]`));
}

function toVolume({ name, volumeId, scratch }: VolumeOptions, option: string): SandboxVolume {
  if (!VOLUME_NAME_PATTERN.test(name)) {
    throw invalidOption(
      `${option}.name`,
      `must be 1 to 63 of letters, digits, "_" and "-", not ${JSON.stringify(name)}`,
    );
  }
  if (volumeId !== undefined) {
    checkText(volumeId, `${option}.volumeId`);
    return create(SandboxVolumeSchema, { name, source: { case: "volumeId", value: volumeId } });
  }
  const { size, medium, restoreFromSnapshotId } = scratch ?? {};
  if (medium === "memory" && size === undefined) {
    throw invalidOption(`${option}.scratch.size`, "is needed for a volume in memory");
  }
  return create(SandboxVolumeSchema, {
    name,
    // Sent even when it says nothing, as both official SDKs do (reference 3.10).
    source: {
      case: "scratch",
      value: {
        size: size ?? "",
        medium:
          medium === undefined
            ? StorageMedium.UNSPECIFIED
            : medium === "memory"
              ? StorageMedium.MEMORY
              : StorageMedium.DISK,
        restoreFromSnapshotId: restoreFromSnapshotId ?? "",
      },
    },
  });
}

/** Where the volumes are in the main container. */
export function mountsOf(
  volumes: readonly VolumeOptions[],
  files: readonly string[],
): VolumeMountOptions[] {
  const mounts = volumes.flatMap(({ name, mountPath, readOnly, subPath }, index) => {
    if (mountPath === undefined) return [];
    checkMountPath(mountPath, `volumes[${index}].mountPath`, files);
    return [{ volume: name, mountPath, readOnly, subPath }];
  });
  checkUnique(
    mounts.map(({ mountPath }) => mountPath),
    "volumes (mount paths)",
  );
  return mounts;
}

function checkMountPath(path: string, option: string, files: readonly string[]): void {
  checkAbsolutePath(path, option);
  const parts = path.split("/").slice(1);
  if (path === "/" || parts.some((part) => part === "" || part === "." || part === "..")) {
    throw invalidOption(option, `must be a normalized path below "/", not ${JSON.stringify(path)}`);
  }
  if (path.length > MAX_MOUNT_PATH_LENGTH) {
    throw invalidOption(option, `must have at most ${MAX_MOUNT_PATH_LENGTH} characters`);
  }
  const reserved = RESERVED_MOUNT_PATHS.find(
    (each) => path === each || path.startsWith(`${each}/`),
  );
  if (reserved !== undefined)
    throw invalidOption(option, `must not be in ${reserved}: ${JSON.stringify(path)}`);
  const file = files.find(
    (each) => each === path || each.startsWith(`${path}/`) || path.startsWith(`${each}/`),
  );
  if (file !== undefined)
    throw invalidOption(option, `overlaps the file ${JSON.stringify(file)} of option files`);
}

export function toObjectStorage(options: ObjectStorageOptions): ObjectStorageAccess {
  const { buckets, permission, objectPrefix } = options;
  if (buckets.length === 0)
    throw invalidOption("objectStorageAccess.buckets", "must name at least one bucket");
  for (const [index, bucket] of buckets.entries())
    checkText(bucket, `objectStorageAccess.buckets[${index}]`);
  checkUnique(buckets, "objectStorageAccess.buckets");
  if (permission !== "read" && permission !== "read-write") {
    throw invalidOption(
      "objectStorageAccess.permission",
      `must be "read" or "read-write", not ${JSON.stringify(permission)}`,
    );
  }
  if (objectPrefix !== undefined) checkObjectPrefix(objectPrefix);
  return create(ObjectStorageAccessSchema, {
    buckets: [...buckets],
    permission:
      permission === "read" ? ObjectStoragePermission.READ : ObjectStoragePermission.READ_WRITE,
    objectPrefix: objectPrefix ?? "",
  });
}

function checkObjectPrefix(prefix: string): void {
  const wellFormed =
    /^[A-Za-z0-9][A-Za-z0-9._/-]*\/$/.test(prefix) &&
    !prefix.includes("..") &&
    !prefix.includes("//");
  if (!wellFormed || Buffer.byteLength(prefix) > MAX_OBJECT_PREFIX_BYTES) {
    throw invalidOption(
      "objectStorageAccess.objectPrefix",
      `must begin with a letter or digit, end with "/", have no ".." or "//" and at most ${MAX_OBJECT_PREFIX_BYTES} bytes`,
    );
  }
}

import {
  type Container,
  MAX_MOUNT_PATH_LENGTH,
  MAX_OBJECT_PREFIX_BYTES,
  type ObjectStorageAccess,
  ObjectStoragePermission,
  RESERVED_MOUNT_PATHS,
  type SandboxSpec,
  type ScratchVolume,
  StorageMedium,
  StorageMediumSchema,
  VOLUME_NAME_PATTERN,
} from "@tidybox/protocol";
import { memoryRequestBytes } from "./containers/resources.ts";
import type { Check } from "./failures.ts";
import { parseMemoryShare, parseQuantity } from "./quantity.ts";

const OBJECT_PREFIX = /^[A-Za-z0-9][A-Za-z0-9._/-]*\/$/;

/** What is wrong with the volumes of a spec in themselves (reference 2.4, 6.1). */
export function checkVolumes(spec: SandboxSpec, check: Check): void {
  const names = spec.volumes.map(({ name }) => name);
  check(new Set(names).size === names.length, "volumes", "must have unique names");
  for (const [index, { name, source }] of spec.volumes.entries()) {
    check(
      VOLUME_NAME_PATTERN.test(name),
      `volumes[${index}].name`,
      "must be 1 to 63 characters of A-Z a-z 0-9 _ -",
    );
    if (source.case !== "scratch") continue;
    checkScratch(source.value, spec, (valid, field, description) =>
      check(valid, `volumes[${index}].scratch.${field}`, description),
    );
  }
}

function checkScratch({ size, medium }: ScratchVolume, spec: SandboxSpec, check: Check): void {
  check(medium in StorageMediumSchema.value, "medium", `is unknown: ${medium}`);
  const inMemory = medium === StorageMedium.MEMORY;
  check(!inMemory || size !== "", "size", "must be set for a volume in memory");
  const share = inMemory ? parseMemoryShare(size) : undefined;
  check(
    size === "" || share !== undefined || (parseQuantity(size) ?? 0) > 0,
    "size",
    inMemory
      ? `is no size such as 64Mi, nor a share of the memory request from 1% to 100%: ${JSON.stringify(size)}`
      : `is no size such as 10Gi: ${JSON.stringify(size)}`,
  );
  check(
    share === undefined || memoryRequestBytes(spec) > 0,
    "size",
    `is a share of the memory request, and no container has one: give one (resource_requirements), or a size such as 64Mi in place of ${size}`,
  );
}

/** What is wrong with the mounts of one container; fields are relative to it. */
export function checkMounts(container: Container, spec: SandboxSpec, check: Check): void {
  const paths = new Set<string>();
  for (const [index, mount] of container.volumeMounts.entries()) {
    const field = `volume_mounts[${index}]`;
    const { mountPath: path } = mount;
    check(
      spec.volumes.some(({ name }) => name === mount.volume),
      `${field}.volume`,
      `names no volume: ${JSON.stringify(mount.volume)}`,
    );
    check(
      isNormalized(path) && path !== "/",
      `${field}.mount_path`,
      "must be absolute and normalized, and not /",
    );
    check(
      path.length <= MAX_MOUNT_PATH_LENGTH,
      `${field}.mount_path`,
      `must have at most ${MAX_MOUNT_PATH_LENGTH} characters`,
    );
    const reserved = RESERVED_MOUNT_PATHS.find((place) => isAtOrBelow(path, place));
    check(reserved === undefined, `${field}.mount_path`, `must not be at or below ${reserved}`);
    check(!paths.has(path), `${field}.mount_path`, `must be unique: ${path}`);
    const file = container.files.find(
      (each) => isAtOrBelow(path, each.path) || isAtOrBelow(each.path, path),
    );
    check(file === undefined, `${field}.mount_path`, `overlaps the file ${file?.path}`);
    check(
      mount.subPath === "" || isNormalized(`/${mount.subPath}`),
      `${field}.sub_path`,
      'must be relative, without "." or ".."',
    );
    paths.add(path);
  }
}

/** What is wrong with a grant of buckets in itself; that there are none here is told elsewhere. */
export function checkObjectStorage(access: ObjectStorageAccess | undefined, check: Check): void {
  if (access === undefined) return;
  const { buckets, permission, objectPrefix } = access;
  const field = "object_storage_access";
  check(
    buckets.length > 0 && buckets.every((bucket) => bucket.trim() !== ""),
    `${field}.buckets`,
    "must name at least one bucket, and none of them blank",
  );
  check(new Set(buckets).size === buckets.length, `${field}.buckets`, "must be unique");
  check(
    permission === ObjectStoragePermission.READ ||
      permission === ObjectStoragePermission.READ_WRITE,
    `${field}.permission`,
    "must be READ or READ_WRITE",
  );
  const isPrefix =
    OBJECT_PREFIX.test(objectPrefix) &&
    !objectPrefix.includes("..") &&
    !objectPrefix.includes("//");
  check(
    objectPrefix === "" || (isPrefix && Buffer.byteLength(objectPrefix) <= MAX_OBJECT_PREFIX_BYTES),
    `${field}.object_prefix`,
    `must begin with a letter or digit, end with "/", have only A-Z a-z 0-9 . _ / -, no ".." or "//", and at most ${MAX_OBJECT_PREFIX_BYTES} bytes`,
  );
}

function isAtOrBelow(path: string, place: string): boolean {
  return path === place || path.startsWith(`${place}/`);
}

function isNormalized(path: string): boolean {
  const parts = path.split("/");
  return (
    path.startsWith("/") &&
    parts.slice(1).every((part) => !["", ".", ".."].includes(part)) &&
    !path.includes("\0")
  );
}

import type { DescField } from "@bufbuild/protobuf";
import type { Random } from "./random.ts";

/** What requests can name: things that are there, and a place outside that nobody may reach. */
export interface World {
  /** Running; the first one stays, the others may be ended by any case. */
  readonly sandboxIds: readonly string[];
  readonly snapshotIds: readonly string[];
  /** A folder of the host with a file `secret` in it. */
  readonly hostFolder: string;
}

/** Harmless ones, whatever the engine; each ends by itself, or with its input. */
export const COMMANDS: readonly (readonly string[])[] = [
  ["true"],
  ["/bin/echo", "fuzz"],
  ["/bin/sh", "-c", "exit 3"],
  ["cat"],
  ["no-such-program"],
  [""],
  ["true", "\0"],
  [],
];

const ODD_TEXTS = [
  "",
  " ",
  "\n",
  "\0",
  "a\0b",
  "line\nline",
  "../../../../etc/passwd",
  "/proc/self/root/etc/passwd",
  "/dev/zero",
  "/proc/1/mem",
  "-rf",
  "$(true)",
  "%s%n",
  "\u202Eabc",
  "😀",
  "\uFFFD",
  "__proto__",
  "constructor",
  "9".repeat(40),
  "-1",
  "NaN",
] as const;

const LONG_LENGTHS = [127, 128, 256, 4096, 5000, 70_000] as const;

const INT32 = [0, 1, -1, 2, 80, 1000, 65_535, 65_536, 2 ** 31 - 1, -(2 ** 31)] as const;
const INT64 = [0n, 1n, -1n, 1n << 53n, (1n << 63n) - 1n, -(1n << 63n)] as const;
const UINT32 = [0, 1, 80, 65_535, 65_536, 2 ** 32 - 1] as const;

export function int32(random: Random): number {
  return random.chance(0.5) ? random.pick(INT32) : random.below(100_000) - 1000;
}

export function uint32(random: Random): number {
  return random.chance(0.5) ? random.pick(UINT32) : random.below(100_000);
}

export function int64(random: Random): bigint {
  return random.chance(0.7) ? random.pick(INT64) : BigInt(random.below(2_000_000_000));
}

/** Anything that is text, most of it nothing that the field means. */
export function oddText(random: Random): string {
  if (random.chance(0.1)) return random.pick(["x", "é", "/a"]).repeat(random.pick(LONG_LENGTHS));
  if (random.chance(0.5)) return random.pick(ODD_TEXTS);
  return String.fromCodePoint(...random.bytes(1 + random.below(20)));
}

/** A text that the field could well hold. */
export function plausibleText({ name, parent }: DescField, world: World, random: Random): string {
  switch (name) {
    case "sandbox_id":
      // Whatever deletes takes one that is not needed.
      return parent.name === "DeleteSandboxRequest"
        ? random.pick([...world.sandboxIds.slice(1), "sb-none"])
        : random.pick([...world.sandboxIds, world.sandboxIds[0] ?? "", "sb-none"]);
    case "file_system_snapshot_id":
    case "restore_from_snapshot_id":
      return random.pick([...world.snapshotIds, "", "fss-none"]);
    case "path":
      return random.pick([
        ...["/workspace/a", "b", "/tmp/c/d", "/data/e", "/etc/passwd", "/", "/proc/self/environ"],
        ...[
          "/dev/zero",
          "/workspace/../../a",
          `${world.hostFolder}/secret`,
          "/workspace/new\nline",
        ],
      ]);
    case "mount_path":
      return random.pick(["/data", "/workspace", "/etc", "/mnt/../a", world.hostFolder]);
    case "command":
      return random.pick(["", "/bin/true", "/bin/false", "no-such-program"]);
    case "container":
    case "primary_container":
      return random.pick(["", "main", "side", "other"]);
    case "name":
      return random.pick(["main", "side", "data"]);
    case "image":
      return random.pick(["python:3.11", "node:22", ""]);
    case "volume":
    case "scratch_volume_name":
    case "snapshot_volumes":
      return random.pick(["data", "other", ""]);
    case "cpu":
    case "memory":
    case "size":
      return random.pick(["1", "500m", "64Mi", "10Gi", "1e3", "50%", "-1", "0", "1Zi"]);
    case "cidr":
      return random.pick(["10.0.0.0/8", "0.0.0.0/0", "::/0", "10.0.0.0/33", "x"]);
    case "template_id":
      return random.pick(["kept", "none"]);
    case "tags":
      return random.pick(["fuzz", "other", "a b"]);
    default:
      return random.pick(["", "a", "some-name", "1", "request-1", "request-2"]);
  }
}

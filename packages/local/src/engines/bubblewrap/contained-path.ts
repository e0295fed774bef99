import { constants } from "node:fs";
import { type FileHandle, mkdir, open } from "node:fs/promises";

/** Linux only, and not in `fs.constants`: a descriptor that only names a place. */
const O_PATH = 0o10000000;
const STEP = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * The walk met a symlink or `..`. Only the sandbox itself can resolve those: seen from the host an
 * absolute link leads into the host.
 */
export class NeedsSandboxResolution extends Error {}

/**
 * Opens `path` below `root` one component at a time, following no link: an `openat` in plain Node
 * (local-engine.md, 7). `root` is a `/proc/<pid>/root`, so that tmpfs parts and bind mounts are
 * seen as the sandbox sees them.
 */
export async function openContained(
  root: string,
  path: string,
  flags: number,
  options: { readonly makeParents: boolean },
): Promise<FileHandle> {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  const last = parts.pop();
  if (last === undefined || last === ".." || parts.includes(".."))
    throw new NeedsSandboxResolution();
  let folder = await open(root, O_PATH | constants.O_DIRECTORY);
  try {
    for (const part of parts) {
      const next = await step(folder, part, options.makeParents);
      await folder.close();
      folder = next;
    }
    // O_NONBLOCK: opening a fifo that the sandbox made must not hang the service.
    return await open(
      below(folder, last),
      flags | constants.O_NOFOLLOW | constants.O_NONBLOCK,
      0o644,
    );
  } catch (error) {
    throw isLink(error) ? new NeedsSandboxResolution() : error;
  } finally {
    await folder.close();
  }
}

async function step(folder: FileHandle, part: string, make: boolean): Promise<FileHandle> {
  try {
    return await open(below(folder, part), STEP);
  } catch (error) {
    if (!make || errno(error) !== "ENOENT") throw error;
    await mkdir(below(folder, part), 0o755).catch((failure: unknown) => {
      if (errno(failure) !== "EEXIST") throw failure;
    });
    return open(below(folder, part), STEP);
  }
}

function below(folder: FileHandle, part: string): string {
  return `/proc/self/fd/${folder.fd}/${part}`;
}

/** ENOTDIR too: that is what O_DIRECTORY says of a link it may not follow. */
function isLink(error: unknown): boolean {
  return errno(error) === "ELOOP" || errno(error) === "ENOTDIR";
}

function errno(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

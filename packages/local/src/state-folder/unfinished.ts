import { lstat, readdir, rmdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { FOLDER_PREFIX, ownFolders } from "./candidates.ts";
import { OWNER_FILE } from "./owner.ts";

/** A service names itself in its folder right after it has made it. */
const UNFINISHED_MILLISECONDS = 60_000;

/** As `mkdtemp` makes them. */
const MADE_NAME = new RegExp(`/${FOLDER_PREFIX}[A-Za-z0-9]{6}$`);

/**
 * Removes the folders of services that were killed between making their folder and naming
 * themselves in it. Nothing is in those, so nothing can be lost: a folder that is not empty after
 * all stays.
 */
export async function removeUnfinishedFolders(): Promise<void> {
  const latest = Date.now() - UNFINISHED_MILLISECONDS;
  for (const { path, changedMilliseconds } of await ownFolders()) {
    if (!MADE_NAME.test(path) || changedMilliseconds > latest) continue;
    try {
      const names = await readdir(path);
      const file = join(path, OWNER_FILE);
      if (names.length === 1 && names[0] === OWNER_FILE && (await isEmptyFile(file)))
        await unlink(file);
      await rmdir(path);
    } catch {
      // Not empty, or its service went on just now.
    }
  }
}

async function isEmptyFile(path: string): Promise<boolean> {
  const stat = await lstat(path);
  return stat.isFile() && stat.size === 0;
}

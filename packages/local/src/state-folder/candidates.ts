import { lstat, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { belongsToAnAccount } from "../privileges/identity.ts";
import { type Owner, readOwner } from "./owner.ts";

export const FOLDER_PREFIX = "tidybox-";

export interface CandidateFolder {
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
  readonly owner: Owner;
}

/** Where services put their folders: the temp folder, and /tmp when that is another one. */
export function parentFolders(): readonly string[] {
  return [...new Set([tmpdir(), "/tmp"])];
}

/**
 * State folders that this account made. Root made those of ids that nobody has, because its
 * services give root up; a folder of somebody with an account is theirs, whatever it says.
 */
export async function candidateFolders(): Promise<readonly CandidateFolder[]> {
  const found: CandidateFolder[] = [];
  for (const parent of parentFolders()) {
    const names = await readdir(parent).catch(() => []);
    for (const name of names) {
      if (!name.startsWith(FOLDER_PREFIX)) continue;
      const path = join(parent, name);
      const stat = await lstat(path).catch(() => undefined);
      if (stat === undefined || !stat.isDirectory() || !isOurs(stat.uid)) continue;
      const owner = await readOwner(path);
      if (owner !== undefined) found.push({ path, uid: stat.uid, gid: stat.gid, owner });
    }
  }
  return found;
}

function isOurs(uid: number): boolean {
  const self = process.getuid?.();
  return uid === self || (self === 0 && !belongsToAnAccount(uid));
}

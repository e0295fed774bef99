import { lstat, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Identity, isUnusedIdentity } from "../privileges/identity.ts";
import { type Owner, readOwner } from "./owner.ts";

export const FOLDER_PREFIX = "tidybox-";

export interface OwnFolder extends Identity {
  readonly path: string;
  /** When something was last made or removed directly in it, since 1970. */
  readonly changedMilliseconds: number;
}

export interface CandidateFolder extends Identity {
  readonly path: string;
  readonly owner: Owner;
}

/** Where services put their folders: the temp folder, and /tmp when that is another one. */
export function parentFolders(): readonly string[] {
  return [...new Set([tmpdir(), "/tmp"])];
}

/**
 * State folders that this account made. Root made those of the ids that its services become when
 * they give root up; a folder of anybody else is theirs, whatever it says.
 */
export async function candidateFolders(): Promise<readonly CandidateFolder[]> {
  const found = (await ownFolders()).map(async ({ path, uid, gid }) => {
    const owner = await readOwner(path);
    return owner && { path, uid, gid, owner };
  });
  return (await Promise.all(found)).filter((folder) => folder !== undefined);
}

/** All folders of this account that are named like a state folder, whatever is in them. */
export async function ownFolders(): Promise<readonly OwnFolder[]> {
  const found = await Promise.all(parentFolders().map(ownFoldersIn));
  return found.flat();
}

async function ownFoldersIn(parent: string): Promise<readonly OwnFolder[]> {
  const names = await readdir(parent).catch(() => []);
  const paths = names
    .filter((name) => name.startsWith(FOLDER_PREFIX))
    .map((name) => join(parent, name));
  // All at once: it is on the way of every start, and a shared machine may have many.
  const found = paths.map(async (path) => {
    const stat = await lstat(path).catch(() => undefined);
    if (stat === undefined || !stat.isDirectory() || !isOurs(stat)) return undefined;
    return { path, uid: stat.uid, gid: stat.gid, changedMilliseconds: stat.mtimeMs };
  });
  return (await Promise.all(found)).filter((folder) => folder !== undefined);
}

function isOurs({ uid, gid }: Identity): boolean {
  const self = process.getuid?.();
  return uid === self || (self === 0 && isUnusedIdentity({ uid, gid }));
}

import { chownSync, copyFileSync, mkdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Identity } from "../privileges/identity.ts";
import { isReachableByOthers } from "../privileges/reachable.ts";

/**
 * The file itself, or a copy of it in `folder` where the account that the service becomes could not
 * read it. Call while this process is still whoever started it.
 */
export function readableCopy(file: string, folder: string, identity: Identity | undefined): string {
  if (identity === undefined || isReachableByOthers(dirname(file))) return file;
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  // Without a package.json beside it, only its name says that it is a module.
  const copy = join(folder, basename(file).replace(/\.js$/, ".mjs"));
  copyFileSync(file, copy);
  chownSync(folder, identity.uid, identity.gid);
  chownSync(copy, identity.uid, identity.gid);
  return copy;
}

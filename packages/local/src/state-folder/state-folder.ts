import { chownSync, chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { LocalServiceError } from "../error.ts";
import type { Identity } from "../privileges/identity.ts";
import { isReachableByOthers } from "../privileges/reachable.ts";
import { FOLDER_PREFIX } from "./candidates.ts";
import { OWNER_FILE, type Owner } from "./owner.ts";
import { thisProcess } from "./process-identity.ts";

/** A unix socket's path has 107 bytes; ours add a folder name and a file name. */
const MAX_PARENT_LENGTH = 70;

/** `NAME=value` in the environment of every process of a service's process engine. */
export function serviceMarker(folder: string): string {
  return `TIDYBOX_SERVICE=${basename(folder)}`;
}

/** In the folder of a service: where sandboxes have folders of their own. */
export function sandboxesFolder(folder: string): string {
  return join(folder, "sandboxes");
}

/**
 * Makes the private folder of one service, directly in the sticky temp folder: whoever the
 * service becomes owns it, and so can remove it in the end.
 */
export function makeStateFolder(identity: Identity | undefined, label: string | undefined): string {
  let folder: string | undefined;
  try {
    folder = mkdtempSync(join(parentFolder(identity), FOLDER_PREFIX));
    chmodSync(folder, 0o700);
    const owner: Owner = { ...thisProcess(), ...(label !== undefined && { label }) };
    writeFileSync(join(folder, OWNER_FILE), JSON.stringify(owner), { mode: 0o600, flag: "wx" });
    if (identity !== undefined) {
      chownSync(join(folder, OWNER_FILE), identity.uid, identity.gid);
      chownSync(folder, identity.uid, identity.gid);
    }
    return folder;
  } catch (error) {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    throw new LocalServiceError(
      "local_state_folder_failed",
      `the local service could not make its private folder in ${tmpdir()}: ${String(error)}. Set TMPDIR to a writable folder.`,
      { cause: error },
    );
  }
}

function parentFolder(identity: Identity | undefined): string {
  const parent = tmpdir();
  const usable =
    parent.length <= MAX_PARENT_LENGTH && (identity === undefined || isReachableByOthers(parent));
  return usable ? parent : "/tmp";
}

import { execFile } from "node:child_process";
import {
  accessSync,
  constants,
  copyFileSync,
  mkdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const COPY_SECONDS = 10;
const COPY_SCRIPT = 'for name in "$@"; do cp -RP -- "/etc/$name/." "$0/$name"; done';

/** What sandboxes see as /etc: a folder, over parts of which the host's own are bound. */
export interface EtcTemplate {
  readonly folder: string;
  /** Names of folders in it that are empty there, and are bound from the host's /etc, read-only. */
  readonly bound: readonly string[];
  /** Its `hosts` and `hostname` are links to files of {@link OWN_FILES_FOLDER}. */
  readonly linksOwnFiles: boolean;
  /** What it was completed from, which is quicker to copy. */
  readonly base?: EtcTemplate;
}

/** Where sandboxes have what of their /etc is their own, unless the whole is. */
export const OWN_FILES_FOLDER = "/run/sandbox";

export const OWN_FILES = ["hosts", "hostname"] as const;

/** An image's own /etc, as it is. */
export function foreignEtc(folder: string): EtcTemplate {
  return { folder, bound: [], linksOwnFiles: false };
}

/** Of the host's /etc, what programs need to start and nothing that says who the host is. */
const COPIED = [
  "ld.so.cache",
  "ld.so.conf",
  "ca-certificates.conf",
  "ssl/openssl.cnf",
  "localtime",
  "profile",
  "services",
  "protocols",
  "mime.types",
  "resolv.conf",
] as const;

/** Hundreds of entries each: to copy them would take longer than all the rest of a start. */
const BOUND = ["alternatives", "ld.so.conf.d", "ca-certificates", "ssl/certs", "pki"] as const;

const WRITTEN: Readonly<Record<string, string>> = {
  passwd:
    "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
  group: "root:x:0:\nnogroup:x:65534:\n",
  "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
};

/** Makes the read-only /etc that all sandboxes of a service share. The host's is never bound whole. */
export function makeEtcTemplate(folder: string): EtcTemplate {
  const bound = BOUND.filter((name) => isReadableFolder(join("/etc", name)));
  for (const name of ["ssl", ...bound])
    mkdirSync(join(folder, name), { mode: 0o755, recursive: true });
  for (const name of COPIED) copy(name, folder);
  for (const [name, text] of Object.entries(WRITTEN)) writeFileSync(join(folder, name), text);
  for (const name of OWN_FILES) symlinkSync(`..${OWN_FILES_FOLDER}/${name}`, join(folder, name));
  return { folder, bound, linksOwnFiles: true };
}

/**
 * The same, with a folder of its own for what was bound: each mount makes every start a little
 * later. For when the service has time; throws when it does not work out.
 */
export async function completeEtc(etc: EtcTemplate, folder: string): Promise<EtcTemplate> {
  await copyEtc(etc, folder);
  return { ...etc, folder, bound: [], base: etc };
}

/** A whole /etc of a sandbox's own, in which everything can be changed. */
export async function copyEtc(etc: EtcTemplate, target: string): Promise<void> {
  const { folder, bound } = etc.base ?? etc;
  await cp(folder, target, { recursive: true, verbatimSymlinks: true });
  if (bound.length === 0) return;
  // Links within stay links. It fails for single files that are not for this account, and copies
  // the rest. For so many, `fs.cp` takes most of a second.
  await promisify(execFile)("sh", ["-c", COPY_SCRIPT, target, ...bound], {
    timeout: COPY_SECONDS * 1000,
  }).catch(() => {});
}

function copy(name: string, folder: string): void {
  try {
    // Through a link: localtime and resolv.conf often are links out of /etc.
    copyFileSync(join("/etc", name), join(folder, name));
  } catch (error) {
    // Not on every system, or not for this account: do without.
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (!["ENOENT", "EACCES", "EPERM"].includes(code)) throw error;
  }
}

function isReadableFolder(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.X_OK);
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

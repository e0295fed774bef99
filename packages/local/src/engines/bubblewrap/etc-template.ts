import { execFile } from "node:child_process";
import { copyFile, mkdir, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const COPY_SECONDS = 10;

/** Of the host's /etc, what programs need to start and nothing that says who the host is. */
const COPIED = [
  "alternatives",
  "ld.so.cache",
  "ld.so.conf",
  "ld.so.conf.d",
  "ca-certificates",
  "ca-certificates.conf",
  "ssl/certs",
  "ssl/openssl.cnf",
  "pki",
  "localtime",
  "profile",
  "services",
  "protocols",
  "mime.types",
  "resolv.conf",
] as const;

const WRITTEN: Readonly<Record<string, string>> = {
  passwd:
    "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
  group: "root:x:0:\nnogroup:x:65534:\n",
  "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
  // Mount points for each sandbox's own.
  hosts: "",
  hostname: "",
};

/** Makes the read-only /etc that all sandboxes of a service share. The host's is never bound. */
export async function makeEtcTemplate(folder: string): Promise<void> {
  await mkdir(join(folder, "ssl"), { mode: 0o755, recursive: true });
  await Promise.all([
    ...COPIED.map((name) => copy(name, folder)),
    ...Object.entries(WRITTEN).map(([name, text]) => writeFile(join(folder, name), text)),
  ]);
}

async function copy(name: string, folder: string): Promise<void> {
  const source = join("/etc", name);
  const target = join(folder, name);
  try {
    // Through a link: localtime and resolv.conf often are links out of /etc.
    if (!(await stat(source)).isDirectory()) return await copyFile(source, target);
  } catch (error) {
    // Not on every system, or not for this account: do without.
    if (isMissingOrClosed(error)) return;
    throw error;
  }
  // Hundreds of certificates: `cp` takes milliseconds where `fs.cp` takes most of a second. Links
  // within stay links. It fails for single files that are not for this account, and copies the rest.
  await promisify(execFile)("cp", ["-RP", "--", source, dirname(target)], {
    timeout: COPY_SECONDS * 1000,
  }).catch(() => {});
}

function isMissingOrClosed(error: unknown): boolean {
  return (
    error instanceof Error &&
    "code" in error &&
    ["ENOENT", "EACCES", "EPERM"].includes(String(error.code))
  );
}

import { existsSync } from "node:fs";
import { cp, mkdir, realpath, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

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
] as const;

const WRITTEN: Readonly<Record<string, string>> = {
  passwd: "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
  group: "root:x:0:\nnogroup:x:65534:\n",
  "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
  // Mount points for each sandbox's own.
  hosts: "",
  hostname: "",
};

/** Makes the read-only /etc that all sandboxes of a service share. The host's is never bound. */
export async function makeEtcTemplate(folder: string): Promise<void> {
  await mkdir(folder, { mode: 0o755, recursive: true });
  await Promise.all([
    ...COPIED.map((name) => copy(name, folder)),
    ...Object.entries(WRITTEN).map(([name, text]) => writeFile(join(folder, name), text)),
    copy("resolv.conf", folder).then(async () => {
      if (!existsSync(join(folder, "resolv.conf"))) await writeFile(join(folder, "resolv.conf"), "");
    }),
  ]);
}

async function copy(name: string, folder: string): Promise<void> {
  const target = join(folder, name);
  try {
    // The entry itself may be a link out of /etc (localtime, resolv.conf); links within stay links.
    const source = await realpath(join("/etc", name));
    await mkdir(dirname(target), { recursive: true });
    await cp(source, target, { recursive: true, verbatimSymlinks: true, errorOnExist: false });
  } catch (error) {
    // Not on every system, or a part of it is not for this account (ssl/private): do without.
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code !== "ENOENT" && code !== "EACCES" && code !== "EPERM") throw error;
  }
}

import { lstatSync, readlinkSync, realpathSync } from "node:fs";
import { join } from "node:path";

const TOP_LEVEL = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"] as const;

/**
 * Arguments that show the host's own programs. All are mounts, also where the host has links into
 * /usr: setpriv is loaded through these names while it still has every capability of the sandbox,
 * and a link in `/` could be renamed by the sandbox, to lead to a library of its own. A mount point
 * cannot (EBUSY), as long as the sandbox can make no mount namespace (see namespace-limit.ts).
 */
export function hostRootArguments(): readonly string[] {
  const args = ["--ro-bind", "/usr", "/usr"];
  for (const name of TOP_LEVEL) {
    const path = `/${name}`;
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) continue;
    args.push("--ro-bind", realpathSync(path), path);
  }
  return args;
}

/**
 * Arguments that make a root file system from an image's directory. Its links stay links, because
 * only inside do they lead where the image means; nothing that has a capability goes through them.
 */
export function imageRootArguments(root: string): readonly string[] {
  const args = ["--ro-bind", join(root, "usr"), "/usr"];
  for (const name of TOP_LEVEL) {
    const path = join(root, name);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    if (stat.isSymbolicLink()) args.push("--symlink", readlinkSync(path), `/${name}`);
    else args.push("--ro-bind", path, `/${name}`);
  }
  return args;
}

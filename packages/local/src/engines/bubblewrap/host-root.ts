import { lstatSync, readlinkSync } from "node:fs";
import { join } from "node:path";

const TOP_LEVEL = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"] as const;

/**
 * Arguments that make a root file system from `root` (the host's "/" or an image's directory):
 * an allow-list, so that a home, a socket below /run or an unknown mount is never visible.
 */
export function rootArguments(root: string): readonly string[] {
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

import { lstatSync, readlinkSync, realpathSync } from "node:fs";
import { join } from "node:path";

const TOP_LEVEL = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"] as const;

/**
 * Where the host's top-level names lead, `{ bin: "usr/bin", … }`; undefined where one of them is no
 * link into /usr.
 */
export function hostLinks(): Readonly<Record<string, string>> | undefined {
  const links: Record<string, string> = {};
  for (const name of TOP_LEVEL) {
    const stat = lstatSync(`/${name}`, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    const real = realpathSync(`/${name}`);
    if (!stat.isSymbolicLink() || !real.startsWith("/usr/")) return undefined;
    links[name] = real.slice(1);
  }
  return links;
}

/**
 * Arguments that mount the host's own programs with all top-level folders: for a host where those are
 * no links, or whose programs do not all load from one folder. setpriv is loaded through these names while it still has
 * every capability of the sandbox, and a link in `/` could be renamed by the sandbox, to lead to a
 * library of its own. A mount point cannot (EBUSY), as long as the sandbox can make no mount
 * namespace (see first-process.ts).
 */
export function hostRootArguments(): readonly string[] {
  const folders = TOP_LEVEL.filter(
    (name) => lstatSync(`/${name}`, { throwIfNoEntry: false }) !== undefined,
  ).flatMap((name) => ["--ro-bind", realpathSync(`/${name}`), `/${name}`]);
  return ["--ro-bind", "/usr", "/usr", ...folders];
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

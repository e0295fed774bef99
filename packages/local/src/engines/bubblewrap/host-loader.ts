import { execFileSync } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { basename, dirname } from "node:path";

const LOADERS = [
  "/lib64/ld-linux-x86-64.so.2",
  "/lib/ld-linux-aarch64.so.1",
  "/lib/ld-musl-x86_64.so.1",
  "/lib/ld-musl-aarch64.so.1",
];

const LIST_MILLISECONDS = 2000;

/** Programs that lead into a sandbox while they still have every capability of it. */
const LEADING = ["setpriv", ...(existsSync("/usr/bin/prlimit") ? ["prlimit"] : [])];

/** Words before the path of a program of the host that is run by the host's loader. */
export type ProgramWords = (name: string) => readonly string[];

/**
 * Runs programs of the host's /usr, seen at `usr`, by naming the host's loader and its folder of
 * libraries: nothing but /usr then decides what is loaded, whatever else a sandbox changes.
 *
 * Undefined when this host's loader is not below /usr, or when a leading program loads anything
 * from elsewhere than the loader's own folder.
 */
export function programsByLoader(usr: string): ProgramWords | undefined {
  const loader = LOADERS.filter((path) => existsSync(path))
    .map((path) => realpathSync(path))
    .find((path) => path.startsWith("/usr/"));
  if (loader === undefined) return undefined;
  const words = (at: string): ProgramWords => {
    const inside = (path: string): string => `${at}${path.slice("/usr".length)}`;
    const options = [
      // Of the image's /etc/ld.so.cache nothing may be believed. musl has none, and no such option.
      ...(basename(loader).startsWith("ld-linux") ? ["--inhibit-cache"] : []),
      ...["--library-path", dirname(inside(loader))],
    ];
    return (name) => [inside(loader), ...options, inside(`/usr/bin/${name}`)];
  };
  return LEADING.every((name) => loadsFrom(dirname(loader), words("/usr")(name)))
    ? words(usr)
    : undefined;
}

/** Whether the loader finds all libraries of a program in this folder. */
function loadsFrom(folder: string, [loader = "", ...rest]: readonly string[]): boolean {
  try {
    const options = { encoding: "utf8", timeout: LIST_MILLISECONDS, env: {} } as const;
    const listed = execFileSync(loader, ["--list", ...rest], { ...options, stdio: "pipe" });
    return listed
      .split("\n")
      .map((line) => / => (\S+)/.exec(line)?.[1])
      .every((path) => path === undefined || dirname(realpathSync(path)) === realpathSync(folder));
  } catch {
    return false;
  }
}

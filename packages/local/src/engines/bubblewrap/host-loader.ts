import { execFile } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { basename, dirname } from "node:path";
import { promisify } from "node:util";

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
 * The host's loader. Undefined when it is not below /usr, or when a leading program loads anything
 * from elsewhere than the loader's own folder. Never rejects.
 */
export async function findHostLoader(): Promise<string | undefined> {
  const loader = LOADERS.filter((path) => existsSync(path))
    .map((path) => realpathSync(path))
    .find((path) => path.startsWith("/usr/"));
  if (loader === undefined) return undefined;
  const words = programsByLoader(loader, "/usr");
  const loads = LEADING.map((name) => loadsFrom(dirname(loader), words(name)));
  return (await Promise.all(loads)).every(Boolean) ? loader : undefined;
}

/**
 * Runs programs of the host's /usr, seen at `usr`, by naming the host's loader and its folder of
 * libraries: nothing but /usr then decides what is loaded, whatever else a sandbox changes.
 */
export function programsByLoader(loader: string, usr: string): ProgramWords {
  const inside = (path: string): string => `${usr}${path.slice("/usr".length)}`;
  const options = [
    // Of the image's /etc/ld.so.cache nothing may be believed. musl has none, and no such option.
    ...(basename(loader).startsWith("ld-linux") ? ["--inhibit-cache"] : []),
    ...["--library-path", dirname(inside(loader))],
  ];
  return (name) => [inside(loader), ...options, inside(`/usr/bin/${name}`)];
}

/** Whether the loader finds all libraries of a program in this folder. */
async function loadsFrom(
  folder: string,
  [loader = "", ...rest]: readonly string[],
): Promise<boolean> {
  try {
    const options = { timeout: LIST_MILLISECONDS, env: {} };
    const { stdout } = await promisify(execFile)(loader, ["--list", ...rest], options);
    return stdout
      .split("\n")
      .map((line) => / => (\S+)/.exec(line)?.[1])
      .every((path) => path === undefined || dirname(realpathSync(path)) === realpathSync(folder));
  } catch {
    return false;
  }
}

import { lstatSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Names libraries that every program loads, setpriv too while it has all capabilities. */
const PRELOAD_LIST = "ld.so.preload";

/** Says where libraries lie. */
const CACHE = "ld.so.cache";

/** Whether an image's /etc has a preload list; it may also be a link to where a sandbox can write. */
export function hasPreloadList(etc: string): boolean {
  return lstatSync(join(etc, PRELOAD_LIST), { throwIfNoEntry: false }) !== undefined;
}

/**
 * Arguments that keep the loader's files as they are in an /etc that its sandbox may write to: they
 * become read-only mount points, and the preload list is empty. `etc` is the sandbox's own copy,
 * which no process of it has seen yet.
 */
export function keptLoaderFiles(etc: string): readonly string[] {
  return [PRELOAD_LIST, CACHE].flatMap((name) => {
    const path = join(etc, name);
    const isFile = lstatSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
    if (name === PRELOAD_LIST || !isFile) {
      // Never through a link, which leads into the host from here.
      rmSync(path, { recursive: true, force: true });
      writeFileSync(path, "", { flag: "wx" });
    }
    return ["--ro-bind", path, `/etc/${name}`];
  });
}

import { randomUUID } from "node:crypto";
import { chmodSync, mkdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { setImmediate } from "node:timers/promises";

/** Beyond a few, a burst of creates is held up by more than its folders. */
const SPARES = 4;

/** Of a sandbox's folder, what it sees as `/`: all of it its own. */
export const ROOT_FOLDER = "root";

/** In every sandbox's root. Some are only there to be mounted over. */
const FOLDERS = [
  ...["usr", "etc", "proc", "dev", "opt", "root", "run/sandbox", "tmp", "var/tmp", "workspace"],
];

const SHARED = ["tmp", "var/tmp"];

/**
 * Sandboxes' empty folders, made ahead: two dozen entries on a disk take a good part of the time that
 * a create may take.
 */
export class FolderPool {
  readonly #parent: string;
  /** Each after the one that it lies in. */
  readonly #folders: readonly string[];
  readonly #links: readonly (readonly [string, string])[];
  readonly #spare: string[] = [];
  /** Of no other pool nor service: a file system may lay folders out by name (see spread-folders.ts). */
  readonly #prefix = randomUUID().slice(0, 8);
  #made = 0;
  #filling: Promise<void> | undefined;
  #closed = false;

  /**
   * `parent` exists, and may be that of other pools. `places` are made in each folder, with their
   * parents: absolute paths inside of mount points. `links` are names in the root, and where they lead.
   */
  constructor(
    parent: string,
    places: readonly string[],
    links: Readonly<Record<string, string>> = {},
  ) {
    this.#parent = parent;
    this.#folders = withParents([...FOLDERS, ...places.map((place) => place.slice(1))]);
    this.#links = Object.entries(links);
  }

  /** A folder that nobody else has. It belongs to the caller, who removes it. */
  async take(): Promise<string> {
    const folder = this.#spare.pop() ?? this.#make();
    this.#filling ??= this.#fill();
    return folder;
  }

  /** Makes no more; resolves when none is being made. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#filling;
  }

  /**
   * At one go: half a millisecond in most places. To hand each entry to a thread cost this one four
   * times as much, and the threads waited for each other in the file system.
   */
  #make(): string {
    const folder = this.#next();
    const root = join(folder, ROOT_FOLDER);
    for (const path of [folder, root]) mkdirSync(path, { mode: 0o700 });
    for (const name of this.#folders) mkdirSync(join(root, name), { mode: 0o755 });
    for (const [name, target] of this.#links) symlinkSync(target, join(root, name));
    for (const name of SHARED) chmodSync(join(root, name), 0o1777);
    return folder;
  }

  async #fill(): Promise<void> {
    try {
      for (;;) {
        // Whoever took one goes on first.
        await setImmediate();
        if (this.#closed || this.#spare.length >= SPARES) return;
        this.#spare.push(this.#make());
      }
    } catch {
      // A full disk, say: the next take makes its own, and tells its caller why it cannot.
    } finally {
      this.#filling = undefined;
    }
  }

  #next(): string {
    this.#made += 1;
    return join(this.#parent, `${this.#prefix}-${this.#made}`);
  }
}

/** These and all that they lie in, once each and outermost first. */
function withParents(places: readonly string[]): readonly string[] {
  const all = new Set<string>();
  const add = (place: string): void => {
    if (place === "." || all.has(place)) return;
    add(dirname(place));
    all.add(place);
  };
  for (const place of places) add(place);
  return [...all];
}

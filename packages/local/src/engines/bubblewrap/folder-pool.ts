import { randomUUID } from "node:crypto";
import { chmod, mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";

/** Beyond a few, a burst of creates is held up by more than its folders. */
const SPARES = 4;

/** Of a sandbox's folder, what it sees as `/`: all of it its own. */
export const ROOT_FOLDER = "root";

/** In every sandbox's root. Some are only there to be mounted over. */
const FOLDERS = [
  ...["usr", "etc", "proc", "dev", "opt", "root", "run/sandbox", "tmp", "var/tmp", "workspace"],
];

const SHARED = [join(ROOT_FOLDER, "tmp"), join(ROOT_FOLDER, "var/tmp")];

/**
 * Sandboxes' empty folders, made ahead: a dozen entries on a disk take milliseconds, a third of
 * what a create may take, and would hold the whole service up meanwhile.
 */
export class FolderPool {
  readonly #parent: string;
  readonly #folders: readonly string[];
  readonly #links: readonly (readonly [string, string])[];
  readonly #spare: string[] = [];
  /** Of no other pool nor service: a file system may lay folders out by their names (spread-folders.ts). */
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
    this.#folders = [...FOLDERS, ...places].map((place) => join(ROOT_FOLDER, place));
    this.#links = Object.entries(links);
  }

  /** A folder that nobody else has. It belongs to the caller, who removes it. */
  async take(): Promise<string> {
    const folder = this.#spare.pop() ?? (await this.#make());
    this.#filling ??= this.#fill();
    return folder;
  }

  /** Makes no more; resolves when none is being made. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#filling;
  }

  /** Not synchronously: in a burst of creates the service would do nothing else. */
  async #make(): Promise<string> {
    const folder = this.#next();
    const within = (name: string): string => join(folder, name);
    await mkdir(within(ROOT_FOLDER), { recursive: true, mode: 0o700 });
    await Promise.all([
      ...this.#folders.map((name) => mkdir(within(name), { recursive: true, mode: 0o755 })),
      ...this.#links.map(([name, target]) => symlink(target, within(join(ROOT_FOLDER, name)))),
    ]);
    await Promise.all(SHARED.map((name) => chmod(within(name), 0o1777)));
    return folder;
  }

  async #fill(): Promise<void> {
    try {
      while (!this.#closed && this.#spare.length < SPARES) this.#spare.push(await this.#make());
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

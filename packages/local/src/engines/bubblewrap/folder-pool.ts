import { chmodSync, mkdirSync } from "node:fs";
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";

/** Beyond a few, a burst of creates is held up by more than its folders. */
const SPARES = 4;

/** Private folders of every sandbox, and what they are called inside. */
export const PRIVATE_FOLDERS = {
  var: "/var",
  home: "/root",
  tmp: "/tmp",
  workspace: "/workspace",
} as const;

/**
 * Sandboxes' empty folders, made ahead: a dozen entries on a disk take milliseconds, a third of
 * what a create may take, and would hold the whole service up meanwhile.
 */
export class FolderPool {
  readonly #parent: string;
  readonly #folders: readonly string[];
  readonly #spare: string[] = [];
  #made = 0;
  #filling: Promise<void> | undefined;
  #closed = false;

  /** `places` are made in each, with their parents: absolute paths inside of mount points. */
  constructor(parent: string, places: readonly string[]) {
    this.#parent = parent;
    this.#folders = [
      ...Object.keys(PRIVATE_FOLDERS),
      "var/tmp",
      ...places.flatMap((place) => {
        const found = Object.entries(PRIVATE_FOLDERS).find(([, inside]) =>
          place.startsWith(`${inside}/`),
        );
        return found === undefined ? [] : [join(found[0], place.slice(found[1].length))];
      }),
    ];
    mkdirSync(parent, { recursive: true, mode: 0o700 });
  }

  /** A folder that nobody else has. It belongs to the caller, who removes it. */
  take(): string {
    const folder = this.#spare.pop() ?? this.#makeNow();
    this.#filling ??= this.#fill();
    return folder;
  }

  /** Makes no more; resolves when none is being made. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#filling;
  }

  #makeNow(): string {
    const folder = this.#next();
    mkdirSync(folder, { mode: 0o700 });
    for (const name of this.#folders)
      mkdirSync(join(folder, name), { recursive: true, mode: 0o755 });
    for (const shared of ["tmp", "var/tmp"]) chmodSync(join(folder, shared), 0o1777);
    return folder;
  }

  async #fill(): Promise<void> {
    try {
      while (!this.#closed && this.#spare.length < SPARES) {
        const folder = this.#next();
        await mkdir(folder, { mode: 0o700 });
        for (const name of this.#folders)
          await mkdir(join(folder, name), { recursive: true, mode: 0o755 });
        for (const shared of ["tmp", "var/tmp"]) await chmod(join(folder, shared), 0o1777);
        this.#spare.push(folder);
      }
    } catch {
      // A full disk, say: the next take makes its own, and tells its caller why it cannot.
    } finally {
      this.#filling = undefined;
    }
  }

  #next(): string {
    this.#made += 1;
    return join(this.#parent, String(this.#made));
  }
}

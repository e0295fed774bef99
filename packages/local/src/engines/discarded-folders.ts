import type { Spawner } from "../spawner/spawner.ts";
import { removeTree } from "../state-folder/remove-tree.ts";

/** Folders are removed together: one process for many, and a quick stop is not slowed by the last. */
const GATHER_MILLISECONDS = 500;
const REMOVED_AT_ONCE = 500;

/** Folders of sandboxes that have ended: removed behind everybody's back, in batches. */
export class DiscardedFolders {
  readonly #spawner: Spawner;
  readonly #waiting: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #removing: Promise<void> | undefined;
  #closed = false;

  constructor(spawner: Spawner) {
    this.#spawner = spawner;
  }

  /** No process may use the folder any more. */
  add(folder: string): void {
    this.#waiting.push(folder);
    this.#schedule();
  }

  /** Waits for what is being removed; what still waits goes with the folder of the service. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#removing;
  }

  #schedule(): void {
    if (this.#closed || this.#removing !== undefined || this.#waiting.length === 0) return;
    this.#timer ??= setTimeout(() => this.#start(), GATHER_MILLISECONDS).unref();
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#removing = this.#remove(this.#waiting.splice(0, REMOVED_AT_ONCE)).finally(() => {
      this.#removing = undefined;
      this.#schedule();
    });
  }

  async #remove(folders: readonly string[]): Promise<void> {
    try {
      await this.#spawner.remove(folders);
    } catch {
      // One that a sandbox locked, or no helper any more: each by itself. What cannot be removed at
      // all is tried again with the service's folder, and by the next service.
      for (const folder of folders) await removeTree(folder).catch(() => {});
    }
  }
}

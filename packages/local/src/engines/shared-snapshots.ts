import type { PlannedRestore } from "./engine.ts";

/** What is of use until it is given back. */
export interface Borrowed<Content> {
  readonly content: Content;
  /** Safe to call twice. */
  release(): void;
}

interface Shared<Content> {
  readonly made: Promise<Content | undefined>;
  users: number;
  deleted: boolean;
}

export interface SharedSnapshotsOptions<Content, Restore extends PlannedRestore> {
  /**
   * Makes a snapshot's content, once for all who share it. Undefined where it cannot be shared. What
   * it leaves when it fails is its own to remove.
   */
  readonly make: (restore: Restore) => Promise<Content | undefined>;
  /** Nobody uses the content any more, and nobody will. */
  readonly discard: (content: Content) => void;
}

/**
 * The content of snapshots that many volumes begin with: each goes when its snapshot is deleted and
 * its last user has given it back.
 */
export class SharedSnapshots<Content, Restore extends PlannedRestore = PlannedRestore> {
  readonly #options: SharedSnapshotsOptions<Content, Restore>;
  readonly #shared = new Map<string, Shared<Content>>();

  constructor(options: SharedSnapshotsOptions<Content, Restore>) {
    this.#options = options;
  }

  /** Undefined where it cannot be shared. Throws what making it throws; the next one tries again. */
  async borrow(restore: Restore): Promise<Borrowed<Content> | undefined> {
    const shared = this.#shared.get(restore.snapshot.id) ?? this.#add(restore);
    shared.users += 1;
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      shared.users -= 1;
      this.#discardUnused(shared);
    };
    try {
      const content = await shared.made;
      if (content !== undefined) return { content, release };
    } catch (error) {
      release();
      throw error;
    }
    release();
    return undefined;
  }

  #add(restore: Restore): Shared<Content> {
    const { id, deleted } = restore.snapshot;
    const made = this.#options.make(restore);
    const shared = { made, users: 0, deleted: deleted.aborted };
    const forget = (): void => {
      if (shared.deleted) return;
      shared.deleted = true;
      this.#shared.delete(id);
      this.#discardUnused(shared);
    };
    // There was no room, say.
    made.catch(forget);
    // One that was deleted on the way here is for its one user only.
    if (deleted.aborted) return shared;
    this.#shared.set(id, shared);
    deleted.addEventListener("abort", forget, { once: true });
    return shared;
  }

  #discardUnused(shared: Shared<Content>): void {
    if (!shared.deleted || shared.users > 0) return;
    shared.made.then(
      (content) => content !== undefined && this.#options.discard(content),
      () => {},
    );
  }
}

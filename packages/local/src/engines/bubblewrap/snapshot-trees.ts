import { execFile } from "node:child_process";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { PlannedRestore } from "../engine.ts";
import type { ContainedTar } from "./contained-tar.ts";
import { makeLayers, mountingWords, unlockLayers } from "./layered-volume.ts";

/** Less is unpacked in the time that an overlay takes, and is then like any other folder. */
const SHARED_FROM_BYTES = 4 * 1024 * 1024;
const UNPACK_SECONDS = 300;
const PROBE_MILLISECONDS = 10_000;

/** What an overlay has to be able to do. It runs in the overlay, over a `kept` and a `folder/gone`. */
const PROBE = `
cd "$0" && echo more >> kept && rm -r folder && mkdir folder && chmod 700 folder && ln kept link &&
  mv link moved && [ "$(cat moved)" = "probe
more" ] && [ ! -e folder/gone ]`;

export interface SnapshotTreesOptions {
  /** Private; made when it is needed. */
  readonly folder: string;
  readonly tar: ContainedTar;
  /** Removes a folder behind everybody's back. */
  readonly discard: (folder: string) => void;
}

/** A snapshot's content, for as long as it is not given back. Nobody changes it. */
export interface BorrowedTree {
  readonly folder: string;
  /** Safe to call twice. */
  release(): void;
}

interface Tree {
  readonly folder: string;
  /** Resolves to whether it can be the lower layer of an overlay. */
  readonly unpacked: Promise<boolean>;
  users: number;
  deleted: boolean;
}

/**
 * Snapshots that volumes begin with, unpacked once: each goes when its snapshot is deleted and no
 * volume shows it any more, and all of them with the service's folder.
 */
export class SnapshotTrees {
  readonly #options: SnapshotTreesOptions;
  readonly #trees = new Map<string, Tree>();
  #count = 0;
  #overlays: Promise<boolean> | undefined;

  constructor(options: SnapshotTreesOptions) {
    this.#options = options;
  }

  /**
   * Undefined where a volume had better be unpacked for its own: the snapshot is small, this machine
   * has no overlays for us, or one would not show the content as it is.
   */
  async borrow({ archive, snapshot }: PlannedRestore): Promise<BorrowedTree | undefined> {
    if (statSync(archive).size < SHARED_FROM_BYTES) return undefined;
    this.#overlays ??= this.#tryOverlay();
    if (!(await this.#overlays)) return undefined;
    const tree = this.#trees.get(snapshot.id) ?? this.#add(archive, snapshot);
    tree.users += 1;
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      tree.users -= 1;
      this.#discardUnused(tree);
    };
    try {
      if (await tree.unpacked) return { folder: tree.folder, release };
    } catch (error) {
      release();
      throw error;
    }
    release();
    return undefined;
  }

  #add(archive: string, { id, deleted }: PlannedRestore["snapshot"]): Tree {
    const folder = this.#next();
    const tree: Tree = {
      folder,
      unpacked: this.#unpack(archive, folder),
      users: 0,
      deleted: deleted.aborted,
    };
    this.#trees.set(id, tree);
    const forget = (): void => {
      if (tree.deleted) return;
      tree.deleted = true;
      this.#trees.delete(id);
      this.#discardUnused(tree);
    };
    // It may work the next time: there was no room, say.
    tree.unpacked.catch(forget);
    if (deleted.aborted) this.#trees.delete(id);
    else deleted.addEventListener("abort", forget, { once: true });
    return tree;
  }

  async #unpack(archive: string, folder: string): Promise<boolean> {
    const { tar } = this.#options;
    const signal = AbortSignal.timeout(UNPACK_SECONDS * 1000);
    await tar.extract(archive, folder, signal);
    return tar.isPlain(folder, signal);
  }

  #discardUnused(tree: Tree): void {
    if (tree.deleted && tree.users === 0) this.#options.discard(tree.folder);
  }

  #next(): string {
    this.#count += 1;
    const folder = join(this.#options.folder, String(this.#count));
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    return folder;
  }

  /** Really makes one: neither versions nor settings tell. */
  async #tryOverlay(): Promise<boolean> {
    const lower = this.#next();
    const own = this.#next();
    writeFileSync(join(lower, "kept"), "probe\n");
    mkdirSync(join(lower, "folder"));
    writeFileSync(join(lower, "folder", "gone"), "");
    const volume = makeLayers(own, 0, { folder: join(own, "volume"), lower });
    const [program = "", ...words] = mountingWords(own, [volume]);
    try {
      await promisify(execFile)(program, [...words, "/bin/sh", "-c", PROBE, volume.folder], {
        cwd: "/",
        env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
        timeout: PROBE_MILLISECONDS,
      });
      return true;
    } catch {
      return false;
    } finally {
      unlockLayers(volume);
      for (const folder of [lower, own]) this.#options.discard(folder);
    }
  }
}

import { execFile } from "node:child_process";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { PlannedRestore } from "../engine.ts";
import { type Borrowed, SharedSnapshots } from "../shared-snapshots.ts";
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

/**
 * Snapshots that volumes begin with, unpacked once and changed by nobody: each goes when its snapshot
 * is deleted and no volume shows it any more, and all of them with the service's folder.
 */
export class SnapshotTrees {
  readonly #options: SnapshotTreesOptions;
  readonly #shared: SharedSnapshots<string>;
  #count = 0;
  #overlays: Promise<boolean> | undefined;

  constructor(options: SnapshotTreesOptions) {
    this.#options = options;
    this.#shared = new SharedSnapshots({
      make: ({ archive }) => this.#unpack(archive),
      discard: options.discard,
    });
  }

  /**
   * The folder that has it. Undefined where a volume had better be unpacked for its own: the snapshot
   * is small, this machine has no overlays for us, or one would not show the content as it is.
   */
  async borrow(restore: PlannedRestore): Promise<Borrowed<string> | undefined> {
    if (statSync(restore.archive).size < SHARED_FROM_BYTES) return undefined;
    this.#overlays ??= this.#tryOverlay();
    return (await this.#overlays) ? this.#shared.borrow(restore) : undefined;
  }

  async #unpack(archive: string): Promise<string | undefined> {
    const { tar, discard } = this.#options;
    const folder = this.#next();
    const signal = AbortSignal.timeout(UNPACK_SECONDS * 1000);
    try {
      await tar.extract(archive, folder, signal);
      if (await tar.isPlain(folder, signal)) return folder;
    } catch (error) {
      discard(folder);
      throw error;
    }
    discard(folder);
    return undefined;
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

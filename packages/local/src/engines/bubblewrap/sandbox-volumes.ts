import { createReadStream, mkdirSync, readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { collectOutput } from "../collect-output.ts";
import type {
  ArchiveTarget,
  EngineProcess,
  ExecCommand,
  PlannedMount,
  PlannedRestore,
  SandboxPlan,
} from "../engine.ts";
import type { Borrowed } from "../shared-snapshots.ts";
import { VolumeArchiveError } from "../volume-archive-error.ts";
import { checkArchive, SAID_BYTES } from "./archive-outcome.ts";
import type { ContainedTar } from "./contained-tar.ts";
import { type LayeredVolume, makeLayers, unlockLayers } from "./layered-volume.ts";
import type { SnapshotTrees } from "./snapshot-trees.ts";
import { volumeFolder } from "./sandbox-folder.ts";

/** What volumes are made with, the same for all sandboxes. */
export interface VolumeTools {
  readonly tar: ContainedTar;
  readonly trees: SnapshotTrees;
  readonly nsenter: string;
}

type Exec = (command: ExecCommand) => Promise<EngineProcess>;

const RESTORE_SECONDS = 300;

/** The volumes of a sandbox as archives: those on disk from the host, those in memory from inside. */
export class SandboxVolumes {
  readonly #plan: SandboxPlan;
  readonly #folder: string;
  readonly #tools: VolumeTools;
  readonly #archiving = new Set<Promise<void>>();
  readonly #borrowed: Borrowed<string>[] = [];
  readonly #layered = new Map<string, LayeredVolume>();

  constructor(plan: SandboxPlan, folder: string, tools: VolumeTools) {
    this.#plan = plan;
    this.#folder = folder;
    this.#tools = tools;
  }

  /** Before the sandbox starts, and before anything else is made in its volumes. */
  async restoreOnDisk(): Promise<void> {
    for (const restore of this.#plan.restores) {
      if (this.#inMemory(restore.volume) !== undefined) continue;
      await this.#restore(restore).catch((error: unknown) => notRestored(restore.volume, error));
    }
  }

  /** Those that have to be mounted before the sandbox can be made (see `mountingWords`). */
  get layered(): ReadonlyMap<string, LayeredVolume> {
    return this.#layered;
  }

  /** Once the sandbox is there, before anything else runs in it. */
  async restoreInMemory(exec: Exec): Promise<void> {
    for (const { volume, archive } of this.#plan.restores) {
      const mount = this.#inMemory(volume);
      if (mount === undefined) continue;
      const process = await exec({
        argv: ["tar", "--extract", "--file=-", "--directory", mount.path, "--no-same-owner", "-p"],
        environment: {},
        wantsInput: true,
      });
      if (process.stdin === undefined) throw new Error("a process that wants input has none");
      // When tar has given up already, its words say why.
      const [said, { exitCode }] = await Promise.all([
        collectOutput(process.stderr, SAID_BYTES),
        process.exited,
        collectOutput(process.stdout, 0),
        pipeline(createReadStream(archive), process.stdin).catch(() => {}),
      ]);
      if (exitCode !== 0) notRestored(volume, failed(exitCode, said.bytes));
    }
  }

  /**
   * Throws VolumeArchiveError, or what the signal aborts with. `innerPid` is the sandbox's first
   * process.
   */
  archive(
    volume: string,
    target: ArchiveTarget,
    { exec, innerPid }: { readonly exec: Exec; readonly innerPid: number },
  ): Promise<void> {
    const mount = this.#inMemory(volume);
    const archiving =
      mount === undefined
        ? this.#archiveOnDisk(volume, target, innerPid)
        : archiveInside(mount, target, exec);
    const settled = archiving.catch(() => {}).finally(() => this.#archiving.delete(settled));
    this.#archiving.add(settled);
    return archiving;
  }

  /**
   * Once no process of the sandbox is left, or it did not come about. Resolves when nothing of its
   * folder is being read any more, and all of it can be removed.
   */
  async close(): Promise<void> {
    await Promise.all(this.#archiving);
    for (const volume of this.#layered.values()) unlockLayers(volume);
    for (const tree of this.#borrowed.splice(0)) tree.release();
  }

  async #restore(restore: PlannedRestore): Promise<void> {
    const { tar, trees } = this.#tools;
    // Of an overlay there is one mount, which other containers cannot get at.
    const tree = this.#plan.sharesVolumes === true ? undefined : await trees.borrow(restore);
    const folder = this.#make(restore.volume);
    if (tree === undefined) {
      const signal = AbortSignal.timeout(RESTORE_SECONDS * 1000);
      return tar.extract(restore.archive, folder, signal);
    }
    this.#borrowed.push(tree);
    const layers = makeLayers(this.#folder, this.#layered.size, { folder, lower: tree.content });
    this.#layered.set(restore.volume, layers);
  }

  #archiveOnDisk(volume: string, target: ArchiveTarget, innerPid: number): Promise<void> {
    const { tar, nsenter } = this.#tools;
    const layered = this.#layered.get(volume);
    if (layered === undefined) return tar.create(this.#make(volume), target.file, target);
    // Only there it is mounted: with the sandbox's bwrap, which stays outside.
    const outerPid = String(parentOf(innerPid));
    const entry = [nsenter, "--preserve-credentials", "-t", outerPid, "-U", "-m", "--"];
    return tar.create(layered.folder, target.file, target, entry);
  }

  #inMemory(volume: string): PlannedMount | undefined {
    return this.#plan.mounts.find(
      (mount) => mount.volume === volume && mount.memorySizeBytes !== undefined,
    );
  }

  /** One that is not mounted anywhere is empty. */
  #make(volume: string): string {
    const folder = volumeFolder(this.#folder, volume);
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    return folder;
  }
}

async function archiveInside(
  mount: PlannedMount,
  { file, maxBytes, signal }: ArchiveTarget,
  exec: Exec,
): Promise<void> {
  const archive = await open(file, "wx+", 0o600);
  try {
    signal.throwIfAborted();
    const process = await exec({
      argv: ["tar", "--create", "--file=-", "--sparse", "--directory", mount.path, "."],
      environment: {},
      wantsInput: false,
    });
    const kill = (): void => process.kill();
    signal.addEventListener("abort", kill);
    try {
      const stderr = collectOutput(process.stderr, SAID_BYTES);
      let size = 0;
      for (let chunk = await process.stdout.read(); chunk; chunk = await process.stdout.read()) {
        size += chunk.length;
        if (size > maxBytes) {
          kill();
          const message = `the archive is larger than ${maxBytes} bytes`;
          throw new VolumeArchiveError("size_exceeded", message);
        }
        await archive.writeFile(chunk);
      }
      const [said, { exitCode }] = await Promise.all([stderr, process.exited]);
      signal.throwIfAborted();
      await checkArchive(archive, exitCode, said.bytes.toString("utf8").trim());
    } finally {
      signal.removeEventListener("abort", kill);
      process.stdout.close();
      process.stderr.close();
    }
  } finally {
    await archive.close();
  }
}

function parentOf(pid: number): number {
  try {
    const [, parent] = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1")) ?? [];
    return Number(parent);
  } catch (cause) {
    throw new VolumeArchiveError("failed", "the sandbox has ended", { cause });
  }
}

function notRestored(volume: string, error: unknown): never {
  const why = error instanceof Error ? error.message : String(error);
  const message = `volume ${volume} could not be restored from its snapshot: ${why}`;
  throw new VolumeArchiveError("failed", message);
}

function failed(exitCode: number, said: Buffer): VolumeArchiveError {
  const text = said.toString("utf8").trim();
  return new VolumeArchiveError(
    "failed",
    `tar in the sandbox ended with code ${exitCode}: ${text}`,
  );
}

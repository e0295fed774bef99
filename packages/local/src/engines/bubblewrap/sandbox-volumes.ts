import { createReadStream, mkdirSync } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { collectOutput } from "../collect-output.ts";
import type {
  ArchiveTarget,
  EngineProcess,
  ExecCommand,
  PlannedMount,
  SandboxPlan,
} from "../engine.ts";
import { VolumeArchiveError } from "../volume-archive-error.ts";
import { checkArchive, SAID_BYTES } from "./archive-outcome.ts";
import type { ContainedTar } from "./contained-tar.ts";
import { volumeFolder } from "./sandbox-folder.ts";

type Exec = (command: ExecCommand) => Promise<EngineProcess>;

const RESTORE_SECONDS = 300;

/** The volumes of a sandbox as archives: those on disk from the host, those in memory from inside. */
export class SandboxVolumes {
  readonly #plan: SandboxPlan;
  readonly #folder: string;
  readonly #tar: ContainedTar;
  readonly #archiving = new Set<Promise<void>>();

  constructor(plan: SandboxPlan, folder: string, tar: ContainedTar) {
    this.#plan = plan;
    this.#folder = folder;
    this.#tar = tar;
  }

  /** Before the sandbox starts, and before anything else is made in its volumes. */
  async restoreOnDisk(): Promise<void> {
    for (const { volume, archive } of this.#plan.restores) {
      if (this.#inMemory(volume) !== undefined) continue;
      const signal = AbortSignal.timeout(RESTORE_SECONDS * 1000);
      await this.#tar
        .extract(archive, this.#make(volume), signal)
        .catch((error: unknown) => notRestored(volume, error));
    }
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

  /** Throws VolumeArchiveError, or what the signal aborts with. */
  archive(volume: string, target: ArchiveTarget, exec: Exec): Promise<void> {
    const mount = this.#inMemory(volume);
    const archiving =
      mount === undefined
        ? this.#tar.create(this.#make(volume), target.file, target)
        : archiveInside(mount, target, exec);
    const settled = archiving.catch(() => {}).finally(() => this.#archiving.delete(settled));
    this.#archiving.add(settled);
    return archiving;
  }

  /** Resolves when nothing of the sandbox's folder is being read any more. */
  async idle(): Promise<void> {
    await Promise.all(this.#archiving);
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

import { createReadStream, createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Container, MountSettings } from "dockerode";
import { checkArchive, SAID_BYTES } from "../bubblewrap/archive-outcome.ts";
import { collectOutput } from "../collect-output.ts";
import type { ArchiveTarget, EngineProcess, EngineSandbox, SandboxPlan } from "../engine.ts";
import { VolumeArchiveError } from "../volume-archive-error.ts";
import type { DockerConnection } from "./docker-connection.ts";
import { HELD_VOLUME, type VolumeHolders } from "./volume-holder.ts";

const RESTORE_SECONDS = 300;

export function volumeName(sandboxId: string, volume: string): string {
  return `tidybox-${sandboxId}-${volume}`;
}

/** Volumes on disk that a sandbox mounts. */
export function diskVolumes({ mounts }: SandboxPlan): readonly string[] {
  const onDisk = mounts.filter(({ memorySizeBytes }) => memorySizeBytes === undefined);
  return [...new Set(onDisk.map(({ volume }) => volume))];
}

export function diskRestores({ mounts, restores }: SandboxPlan): SandboxPlan["restores"] {
  const inMemory = mounts.filter(({ memorySizeBytes }) => memorySizeBytes !== undefined);
  return restores.filter(({ volume }) => inMemory.every((mount) => mount.volume !== volume));
}

export function mountsOf({ id, mounts }: SandboxPlan): MountSettings[] {
  return mounts.map(({ volume, path, readOnly, memorySizeBytes }): MountSettings =>
    memorySizeBytes === undefined
      ? {
          Type: "volume",
          Source: volumeName(id, volume),
          Target: path,
          ReadOnly: readOnly,
          // They begin empty, whatever the image has in that place.
          VolumeOptions: { NoCopy: true, Labels: {}, DriverConfig: { Name: "local", Options: {} } },
        }
      : {
          Type: "tmpfs",
          Source: "",
          Target: path,
          TmpfsOptions: { SizeBytes: memorySizeBytes, Mode: 0o777 },
        },
  );
}

/**
 * Through Docker's archives: needs nothing of the image, and the container need not run. Those in
 * `layered` show the snapshot already.
 */
export async function restoreDiskVolumes(
  docker: DockerConnection,
  container: Container,
  holders: VolumeHolders,
  plan: SandboxPlan,
  layered: ReadonlySet<string>,
): Promise<void> {
  for (const { volume, archive } of diskRestores(plan)) {
    if (layered.has(volume)) continue;
    const mounts = plan.mounts.filter((each) => each.volume === volume);
    const unpack = (into: Container, path: string): Promise<unknown> =>
      docker.call(
        `restore the volume ${volume}`,
        (options) => into.putArchive(createReadStream(archive), { ...options, path }),
        RESTORE_SECONDS,
      );
    const writable = mounts.find(({ readOnly }) => !readOnly);
    if (writable !== undefined) await unpack(container, writable.path);
    else await holders.use(volumeName(plan.id, volume), (holder) => unpack(holder, HELD_VOLUME));
  }
}

/** By the image's own tar: Docker's archives do not see what is in memory. */
export async function restoreMemoryVolumes(
  sandbox: Pick<EngineSandbox, "exec">,
  plan: SandboxPlan,
): Promise<void> {
  for (const { volume, archive } of plan.restores) {
    const mount = plan.mounts.find((each) => each.volume === volume);
    if (mount?.memorySizeBytes === undefined) continue;
    const tar = await sandbox.exec({
      argv: ["tar", "-xf", "-", "-C", mount.path],
      environment: {},
      wantsInput: true,
    });
    if (tar.stdin === undefined) throw new Error("tar has no input");
    const [said] = await Promise.all([
      collectOutput(tar.stderr, SAID_BYTES),
      collectOutput(tar.stdout, 0),
      pipeline(createReadStream(archive), tar.stdin, {
        signal: AbortSignal.timeout(RESTORE_SECONDS * 1000),
      }).catch(() => tar.kill()),
    ]);
    const { exitCode } = await tar.exited;
    if (exitCode === 0) continue;
    throw new VolumeArchiveError(
      "failed",
      `the volume ${volume} could not be restored by the image's tar, which ended with ${exitCode}: ${said.bytes.toString().trim()}`,
    );
  }
}

/** Throws VolumeArchiveError. */
export async function archiveContainerVolume(
  docker: DockerConnection,
  container: Container,
  holders: VolumeHolders,
  sandbox: Pick<EngineSandbox, "exec">,
  plan: SandboxPlan,
  volume: string,
  target: ArchiveTarget,
): Promise<void> {
  const mount = plan.mounts.find((each) => each.volume === volume);
  try {
    const outcome = await (mount === undefined
      ? // Only other containers of the sandbox mount it.
        holders.use(volumeName(plan.id, volume), (holder) =>
          archiveByDocker(docker, holder, HELD_VOLUME, target),
        )
      : mount.memorySizeBytes === undefined
        ? archiveByDocker(docker, container, mount.path, target)
        : archiveByTar(sandbox, mount.path, target));
    const file = await open(target.file, "r");
    try {
      await checkArchive(file, outcome.code, outcome.said);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof VolumeArchiveError) throw error;
    throw new VolumeArchiveError("failed", error instanceof Error ? error.message : String(error));
  }
}

interface Outcome {
  readonly code: number;
  readonly said: string;
}

async function archiveByDocker(
  docker: DockerConnection,
  container: Container,
  path: string,
  target: ArchiveTarget,
): Promise<Outcome> {
  // With `/.` the archive is of what is in the folder, and not of the folder.
  const archive = await docker.call("archive a volume", (options) =>
    container.getArchive({ ...options, path: `${path}/.` }),
  );
  await pipeline(archive, limiter(target.maxBytes), fileOf(target), { signal: target.signal });
  return { code: 0, said: "" };
}

async function archiveByTar(
  sandbox: Pick<EngineSandbox, "exec">,
  path: string,
  target: ArchiveTarget,
): Promise<Outcome> {
  const tar = await sandbox.exec({
    argv: ["tar", "-cf", "-", "-C", path, "."],
    environment: {},
    wantsInput: false,
  });
  const said = collectOutput(tar.stderr, SAID_BYTES);
  try {
    const signal = target.signal;
    await pipeline(bytesOf(tar), limiter(target.maxBytes), fileOf(target), { signal });
  } catch (error) {
    tar.kill();
    tar.stdout.close();
    tar.stderr.close();
    throw error;
  }
  return { code: (await tar.exited).exitCode, said: (await said).bytes.toString().trim() };
}

async function* bytesOf({ stdout }: EngineProcess): AsyncGenerator<Buffer> {
  for (;;) {
    const chunk = await stdout.read();
    if (chunk === undefined) return;
    yield chunk;
  }
}

function fileOf({ file }: ArchiveTarget) {
  return createWriteStream(file, { flags: "wx", mode: 0o600 });
}

function limiter(maxBytes: number): Transform {
  let total = 0;
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      total += chunk.length;
      if (total <= maxBytes) return done(null, chunk);
      done(new VolumeArchiveError("size_exceeded", `more than ${maxBytes} bytes`));
    },
  });
}

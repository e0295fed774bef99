import { existsSync, lstatSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { PlannedMount, SandboxPlan } from "../engine.ts";
import { copyEtc, type EtcTemplate, OWN_FILES, OWN_FILES_FOLDER } from "./etc-template.ts";
import { ROOT_FOLDER } from "./folder-pool.ts";
import { type LayeredVolume, type Layers, makeInLayers } from "./layered-volume.ts";
import { hasPreloadList, keptLoaderFiles } from "./loader-files.ts";
import type { ToolBind } from "./image-root.ts";

interface Bind {
  readonly inside: string;
  readonly host: string;
  readonly readOnly: boolean;
  /** Shared with other sandboxes, which may be changing it right now. */
  readonly live?: boolean;
  /** Where things are made that are to be seen in it, as `host` itself is not mounted yet. */
  readonly layers?: Layers;
}

/** Where the volumes of a sandbox are. */
export interface VolumePlaces {
  /** Of the sandbox whose volumes these are. */
  readonly folder: string;
  /** By name. */
  readonly layered: ReadonlyMap<string, LayeredVolume>;
}

/** Below these nothing can be made: they are the image's, read-only. */
const READ_ONLY = [
  "/usr",
  "/bin",
  "/sbin",
  "/lib",
  "/lib32",
  "/lib64",
  "/libx32",
  "/.host",
  "/proc",
  "/sys",
  "/dev",
];

export function isReadOnlyPlace(path: string): boolean {
  return READ_ONLY.some((place) => isAtOrBelow(path, place));
}

export function isAtOrBelow(path: string, place: string): boolean {
  return path === place || path.startsWith(place === "/" ? "/" : `${place}/`);
}

export interface FolderArguments {
  /** Must come first: everything else is mounted in it. */
  readonly root: readonly string[];
  readonly inRoot: readonly string[];
}

/**
 * Completes a sandbox's fresh folder (of a FolderPool) and returns the arguments that show it
 * inside. No sandbox process has seen it yet, so nothing in it can be a trap. `volumesOf` is
 * where the volumes are, in which nothing has run yet either.
 */
export async function furnishSandboxFolder(
  folder: string,
  plan: SandboxPlan,
  hostname: string,
  etc: EtcTemplate,
  tools: readonly ToolBind[],
  volumesOf: VolumePlaces,
): Promise<FolderArguments> {
  const root: Bind = { inside: "/", host: join(folder, ROOT_FOLDER), readOnly: false };
  const binds = [root];
  const volumes = plan.mounts.toSorted((a, b) => a.path.length - b.path.length);
  for (const mount of volumes) {
    makePlace(binds, mount.path);
    if (mount.memorySizeBytes !== undefined) continue;
    const live = plan.volumeFolders?.get(mount.volume);
    if (live !== undefined) {
      const readOnly = mount.readOnly || live.readOnly;
      binds.push({ inside: mount.path, host: live.folder, readOnly, live: true });
      continue;
    }
    const volume = volumeFolder(volumesOf.folder, mount.volume);
    mkdirSync(volume, { recursive: true, mode: 0o755 });
    const layers = volumesOf.layered.get(mount.volume)?.layers;
    const place = makeBelow({ host: volume, ...(layers && { layers }) }, mount.subPath);
    binds.push({ inside: mount.path, readOnly: mount.readOnly, ...place });
  }
  // In a live volume it must be there: bwrap looks for it from inside.
  if (plan.workingDirectory !== "/workspace" && !bindOf(binds, plan.workingDirectory)?.live)
    makePlace(binds, plan.workingDirectory);
  // Under a volume the place that the pool made is covered.
  if (volumes.length > 0) for (const { tool } of tools) makePlace(binds, tool.inside);
  return {
    root: bindArguments(root),
    inRoot: [
      ...(await etcArguments(folder, plan, hostname, etc)),
      ...tools.flatMap(({ tool, source }) => ["--ro-bind", source, tool.inside]),
      ...volumes.flatMap((mount) => mountArguments(mount, binds)),
    ],
  };
}

async function etcArguments(
  folder: string,
  plan: SandboxPlan,
  hostname: string,
  etc: EtcTemplate,
): Promise<string[]> {
  // Files of the spec below /etc need an /etc of this sandbox's own; the shared one is read-only.
  const own =
    plan.files.some((file) => isAtOrBelow(file.path, "/etc")) || hasPreloadList(etc.folder);
  const source = own ? join(folder, "etc") : etc.folder;
  if (own) await copyEtc(etc, source);
  const args = [own ? "--bind" : "--ro-bind", source, "/etc"];
  if (own) args.push(...keptLoaderFiles(source));
  if (!own) for (const name of etc.bound) args.push("--ro-bind", `/etc/${name}`, `/etc/${name}`);
  const texts = {
    hosts: `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t${hostname}\n`,
    hostname: `${hostname}\n`,
  };
  for (const name of OWN_FILES) {
    if (etc.linksOwnFiles) {
      writeFileSync(join(folder, ROOT_FOLDER, OWN_FILES_FOLDER, name), texts[name]);
    } else if (existsSync(join(source, name))) {
      // Only over an existing file: nothing can be made in a read-only folder.
      writeFileSync(join(folder, name), texts[name]);
      args.push("--bind", join(folder, name), `/etc/${name}`);
    }
  }
  return args;
}

function mountArguments(mount: PlannedMount, binds: readonly Bind[]): readonly string[] {
  if (mount.memorySizeBytes !== undefined) {
    return ["--size", String(mount.memorySizeBytes), "--tmpfs", mount.path];
  }
  return bindArguments(binds.findLast(({ inside }) => inside === mount.path) as Bind);
}

function bindArguments({ inside, host, readOnly }: Bind): readonly string[] {
  return [readOnly ? "--ro-bind" : "--bind", host, inside];
}

/** The folder on the host that `path` lies in, if that is one of the sandbox's own. */
function bindOf(binds: readonly Bind[], path: string): Bind | undefined {
  return binds
    .toSorted((a, b) => b.inside.length - a.inside.length)
    .find(({ inside }) => isAtOrBelow(path, inside));
}

/** Makes the mount point ourselves: bwrap must never create anything below a bind. */
function makePlace(binds: readonly Bind[], path: string): void {
  const bind = bindOf(binds, path);
  if (bind?.live === true && bind.inside !== path)
    throw new Error(
      `${path} would lie within a registered volume (${bind.inside}): mount it elsewhere`,
    );
  if (bind !== undefined) makeBelow(bind, path.slice(bind.inside.length));
}

export function volumeFolder(sandboxFolder: string, volume: string): string {
  return join(sandboxFolder, "volumes", volume);
}

/**
 * Makes folders below one of the sandbox's own. What was restored from a snapshot may have links,
 * which seen from here lead anywhere: none is followed.
 */
function makeBelow(
  { host, layers }: Pick<Bind, "host" | "layers">,
  path: string,
): Pick<Bind, "host" | "layers"> {
  let place = host;
  let inLayers = layers;
  for (const part of path.split("/").filter((each) => each !== "")) {
    place = join(place, part);
    if (inLayers !== undefined) inLayers = makeInLayers(inLayers, part);
    else if (!isFolder(place)) mkdirSync(place, { mode: 0o755 });
  }
  return { host: place, ...(inLayers && { layers: inLayers }) };
}

/** False where there is nothing. */
function isFolder(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined || stat.isDirectory()) return stat !== undefined;
  throw new Error(`${basename(path)} is no folder in the volume's snapshot`);
}

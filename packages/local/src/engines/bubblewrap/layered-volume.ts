import { chmodSync, lstatSync, mkdirSync, statSync, utimesSync } from "node:fs";
import { join, relative } from "node:path";

/**
 * A folder that shows what is in another one, and keeps to itself whatever is changed in it: an
 * overlay, mounted where only its sandbox sees it.
 */
export interface LayeredVolume {
  /** Where it is mounted; on the host itself an empty folder. */
  readonly folder: string;
  readonly layers: Layers;
  /** The file system's own. */
  readonly work: string;
}

/** Of one folder of a volume: what can be written, and what is below it and may not be there. */
export interface Layers {
  readonly upper: string;
  readonly lower: string;
}

/** In a sandbox's folder. */
const LAYERS_FOLDER = "layers";

/**
 * For the options of mount no path is written out: they are relative to the sandbox's folder, and of
 * names that the service has given. Nothing of it is worth a flush of the disk.
 */
const MOUNT = `
cd -- "$1" || exit
shift
while [ "$1" != -- ]; do
  mount -n -i -t overlay -o "userxattr,volatile,$1" tidybox "$2" || exit
  shift 2
done
shift
cd /
exec "$@"`;

/**
 * Makes an overlay's own folders in a sandbox's, `folder` is where it will be. As in a copy of `lower`
 * the volume itself has its mode and time.
 */
export function makeLayers(
  sandboxFolder: string,
  index: number,
  { folder, lower }: { readonly folder: string; readonly lower: string },
): LayeredVolume {
  const own = join(sandboxFolder, LAYERS_FOLDER, String(index));
  const upper = join(own, "upper");
  const work = join(own, "work");
  for (const path of [folder, upper, work]) mkdirSync(path, { recursive: true, mode: 0o755 });
  const { mode, atimeMs, mtimeMs } = statSync(lower);
  chmodSync(upper, mode & 0o7777);
  utimesSync(upper, atimeMs / 1000, mtimeMs / 1000);
  return { folder, layers: { upper, lower }, work };
}

/**
 * Words before a command that sees the volumes, in a user and mount namespace of its own. They need
 * a PATH, and `unshare` and `mount` of util-linux in it.
 */
export function mountingWords(
  sandboxFolder: string,
  volumes: readonly LayeredVolume[],
): readonly string[] {
  if (volumes.length === 0) return [];
  const within = (path: string): string => relative(sandboxFolder, path);
  return [
    // Mounts below "slave": what the host unmounts is not held by a sandbox.
    ...["unshare", "--user", "--map-root-user", "--mount", "--propagation", "slave", "--"],
    ...["/bin/sh", "-c", MOUNT, "sh", sandboxFolder],
    ...volumes.flatMap(({ folder, layers: { upper, lower }, work }) => [
      `lowerdir=${within(lower)},upperdir=${within(upper)},workdir=${within(work)}`,
      within(folder),
    ]),
    "--",
  ];
}

/** What the file system has locked even to its owner, so that the folder can be removed. */
export function unlockLayers({ work }: LayeredVolume): void {
  try {
    chmodSync(join(work, "work"), 0o700);
  } catch {
    // It was never mounted.
  }
}

/** The layers of a folder within, made where it is not there. Throws where something else is. */
export function makeInLayers(layers: Layers, name: string): Layers {
  const inside = { upper: join(layers.upper, name), lower: join(layers.lower, name) };
  const upper = lstatSync(inside.upper, { throwIfNoEntry: false });
  const lower = lstatSync(inside.lower, { throwIfNoEntry: false });
  if ((upper ?? lower)?.isDirectory() === false)
    throw new Error(`${name} is no folder in the volume's snapshot`);
  if (upper === undefined) mkdirSync(inside.upper, { mode: 0o755 });
  if (upper === undefined && lower !== undefined) {
    // The upper one's are seen.
    chmodSync(inside.upper, lower.mode & 0o7777);
    utimesSync(inside.upper, lower.atimeMs / 1000, lower.mtimeMs / 1000);
  }
  return inside;
}

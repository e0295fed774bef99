import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** A package as it lies in a node_modules folder of this machine. */
export interface InstalledPackage {
  readonly name: string;
  readonly folder: string;
}

/** Finds a package as Node would from a file in `from`, but by its folder, whatever it exports. */
export async function findPackage(name: string, from: string): Promise<InstalledPackage> {
  for (let place = from; ; place = dirname(place)) {
    const folder = join(place, "node_modules", name);
    const manifest = await readFile(join(folder, "package.json")).catch(() => undefined);
    if (manifest !== undefined) return { name, folder };
    if (place === dirname(place)) throw new Error(`${name} is not installed for ${from}`);
  }
}

/**
 * All files of a package and of what it needs at run time, by their path below a node_modules
 * folder. Each dependency lies within its dependent: no two versions can be in each other's way.
 */
export async function readPackage(
  { name, folder }: InstalledPackage,
  above: readonly string[] = [],
): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const inside = path.slice(folder.length + 1);
    if (!entry.isFile() || inside.split("/").includes("node_modules")) continue;
    files.set(`${name}/${inside}`, await readFile(path));
  }
  for (const dependency of dependenciesOf(files.get(`${name}/package.json`))) {
    const found = await findPackage(dependency, folder);
    // In a circle of packages, the one above is found from below.
    if (above.includes(found.folder)) continue;
    for (const [path, content] of await readPackage(found, [...above, folder])) {
      files.set(`${name}/node_modules/${path}`, content);
    }
  }
  return files;
}

function dependenciesOf(manifest: Uint8Array | undefined): readonly string[] {
  const parsed: unknown = JSON.parse(new TextDecoder().decode(manifest));
  if (typeof parsed !== "object" || parsed === null || !("dependencies" in parsed)) return [];
  return Object.keys(parsed.dependencies ?? {});
}

import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";

/** The checkout's root folder. */
export const workspaceRoot = join(import.meta.dirname, "..");

/** What the scripts need of a package.json; the file is ours, so the shape is trusted. */
export interface Manifest {
  readonly name: string;
  readonly version?: string;
  readonly private?: boolean;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly main?: string;
  readonly files?: readonly string[];
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export interface WorkspacePackage {
  readonly folder: string;
  readonly manifest: Manifest;
}

/** The packages in `parent` ("packages" or "examples"), by folder name; a folder counts once it has a package.json. */
export async function findPackages(
  parent: "packages" | "examples",
): Promise<readonly WorkspacePackage[]> {
  const folders = await readdir(join(workspaceRoot, parent), { withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    },
  );
  const found: WorkspacePackage[] = [];
  for (const entry of folders.toSorted((a, b) => a.name.localeCompare(b.name))) {
    if (!entry.isDirectory()) continue;
    const folder = join(workspaceRoot, parent, entry.name);
    const manifest = await readManifest(folder);
    if (manifest !== undefined) found.push({ folder, manifest });
  }
  return found;
}

/** Undefined where the folder has no package.json. */
async function readManifest(folder: string): Promise<Manifest | undefined> {
  const file = join(folder, "package.json");
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    return JSON.parse(text) as Manifest;
  } catch (cause) {
    throw new Error(`${file} is not valid JSON`, { cause });
  }
}

/** Names of all packages that `manifest` has at run time, its own peers included. */
export function declaredDependencies(manifest: Manifest): ReadonlySet<string> {
  return new Set([
    ...Object.keys(manifest.dependencies ?? {}),
    ...Object.keys(manifest.peerDependencies ?? {}),
    ...Object.keys(manifest.optionalDependencies ?? {}),
  ]);
}

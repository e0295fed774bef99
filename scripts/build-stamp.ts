import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { WorkspacePackage } from "./workspace.ts";
import { workspaceRoot } from "./workspace.ts";

/**
 * What a build was made from and what it made. Kept in node_modules/.cache rather than in dist,
 * which goes into the tarball; that the outputs are in it too catches a dist that somebody
 * removed, edited or built by hand from other sources.
 */
export interface BuildStamp {
  readonly inputs: string;
  readonly outputs: string;
}

/** Folders that a build makes itself. */
const made = new Set(["dist", "node_modules", "coverage"]);

/**
 * Hash of all that the build of `pkg` reads: its files without tests, the compiler settings, the
 * versions of the tools, and `dependencyOutputs` (see {@link hashOutputs}) of the packages below.
 */
export async function hashInputs(
  pkg: WorkspacePackage,
  dependencyOutputs: readonly string[],
): Promise<string> {
  const files = await listFiles(pkg.folder, (path, name) => {
    if (made.has(name) || path === join(pkg.folder, "src", "gen")) return false;
    return name !== "LICENSE" && !name.endsWith(".test.ts") && !name.endsWith(".tgz");
  });
  return hashFiles(
    [
      ...files,
      join(workspaceRoot, "tsconfig.base.json"),
      join(workspaceRoot, "tsconfig.json"),
      join(workspaceRoot, "package-lock.json"),
    ],
    [process.version, ...dependencyOutputs],
  );
}

/** Hash of all that the build of `pkg` wrote; undefined when there is no dist. */
export async function hashOutputs(pkg: WorkspacePackage): Promise<string | undefined> {
  const dist = await listFiles(join(pkg.folder, "dist"), () => true);
  if (dist.length === 0) return undefined;
  const generated = await listFiles(join(pkg.folder, "src", "gen"), () => true);
  return hashFiles([...dist, ...generated], []);
}

export async function readStamp(pkg: WorkspacePackage): Promise<BuildStamp | undefined> {
  try {
    return JSON.parse(await readFile(stampFile(pkg), "utf8")) as BuildStamp;
  } catch {
    // Missing or damaged: either way the package is built anew.
    return undefined;
  }
}

export async function writeStamp(pkg: WorkspacePackage, stamp: BuildStamp): Promise<void> {
  const file = stampFile(pkg);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify(stamp));
}

function stampFile(pkg: WorkspacePackage): string {
  const name = pkg.manifest.name.replaceAll("/", "+");
  return join(workspaceRoot, "node_modules", ".cache", "tidybox-build", `${name}.json`);
}

/** All files below `folder` that `wanted` lets through, sorted; none when there is no such folder. */
export async function listFiles(
  folder: string,
  wanted: (path: string, name: string) => boolean,
): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    },
  );
  const files: string[] = [];
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (!wanted(path, entry.name)) continue;
    if (entry.isDirectory()) files.push(...(await listFiles(path, wanted)));
    else if (entry.isFile()) files.push(path);
  }
  return files.toSorted();
}

/** One hash of names and contents; `extra` is whatever else belongs to the key. */
export async function hashFiles(
  files: readonly string[],
  extra: readonly string[],
): Promise<string> {
  const hash = createHash("sha256");
  for (const file of files) {
    hash.update(`${relative(workspaceRoot, file)}\0`);
    hash.update(
      createHash("sha256")
        .update(await readFile(file))
        .digest(),
    );
  }
  for (const item of extra) hash.update(`\0${item}`);
  return hash.digest("hex");
}

import { mkdir, mkdtemp, readFile, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { hashFiles, listFiles } from "../../scripts/build-stamp.ts";
import { runCommand } from "../../scripts/command.ts";
import type { WorkspacePackage } from "../../scripts/workspace.ts";
import { findPackages, workspaceRoot } from "../../scripts/workspace.ts";

/** In node_modules, because tarballs are worth keeping between runs but not in anybody's /tmp. */
const cacheFolder = join(workspaceRoot, "node_modules", ".cache", "tidybox-packed");

/** The packages that users install. */
export async function findPublicPackages(): Promise<readonly WorkspacePackage[]> {
  const packages = await findPackages("packages");
  return packages.filter((pkg) => pkg.manifest.private !== true);
}

/**
 * Packs every public package as `npm publish` would and resolves to the absolute path of each
 * tarball by package name. Packed once per state of the packages, whoever asks: the tarballs are
 * shared and must not be changed. Throws when a package has not been built or npm fails.
 */
export async function packAll(): Promise<Readonly<Record<string, string>>> {
  const packages = await findPublicPackages();
  for (const pkg of packages) await requireBuild(pkg);

  const folder = join(cacheFolder, await hashPackages(packages));
  const packed = await readPacked(folder, packages);
  if (packed !== undefined) return packed;

  await mkdir(cacheFolder, { recursive: true });
  const making = await mkdtemp(join(cacheFolder, "making-"));
  try {
    const result = await runCommand(
      "npm",
      [
        "pack",
        "--ignore-scripts",
        "--silent",
        `--pack-destination=${making}`,
        ...packages.map((pkg) => `--workspace=${pkg.manifest.name}`),
      ],
      { timeoutSeconds: 120 },
    );
    if (!result.ok) throw new Error(`npm pack: ${result.problem}\n${result.output}`);
    await forgetOldStates();
    // Somebody else may have packed the same state meanwhile; theirs is as good.
    await rename(making, folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(making, { recursive: true, force: true });
  }
  const made = await readPacked(folder, packages);
  if (made === undefined) {
    throw new Error(
      `npm pack left ${(await readdir(folder)).join(", ") || "nothing"} in ${folder}`,
    );
  }
  return made;
}

/** An hour is more than any test run that may still install from an earlier state takes. */
async function forgetOldStates(): Promise<void> {
  for (const name of await readdir(cacheFolder)) {
    const folder = join(cacheFolder, name);
    const { mtimeMs } = await stat(folder);
    if (Date.now() - mtimeMs > 3_600_000) await rm(folder, { recursive: true, force: true });
  }
}

/** Undefined unless the tarballs of all packages are there. */
async function readPacked(
  folder: string,
  packages: readonly WorkspacePackage[],
): Promise<Readonly<Record<string, string>> | undefined> {
  const files = new Set(await listFiles(folder, () => true));
  const tarballs: Record<string, string> = {};
  for (const { manifest } of packages) {
    // npm's own naming: @scope/name becomes scope-name.
    const stem = manifest.name.replace(/^@/, "").replace("/", "-");
    const tarball = join(folder, `${stem}-${manifest.version}.tgz`);
    if (!files.has(tarball)) return undefined;
    tarballs[manifest.name] = tarball;
  }
  return tarballs;
}

async function hashPackages(packages: readonly WorkspacePackage[]): Promise<string> {
  const files: string[] = [];
  for (const pkg of packages) {
    files.push(
      ...(await listFiles(
        pkg.folder,
        (path, name) => name !== "node_modules" && path !== join(pkg.folder, "src"),
      )),
    );
  }
  return (await hashFiles(files, [])).slice(0, 16);
}

async function requireBuild(pkg: WorkspacePackage): Promise<void> {
  const dist = await listFiles(join(pkg.folder, "dist"), () => true);
  if (dist.length === 0) {
    throw new Error(`${pkg.manifest.name} has not been built; run: npm run build`);
  }
  await readFile(join(pkg.folder, "LICENSE")).catch((cause: unknown) => {
    throw new Error(`${pkg.manifest.name} has no LICENSE beside it; run: npm run build`, { cause });
  });
}

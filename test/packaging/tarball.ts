import { mkdtemp, readFile, rm } from "node:fs/promises";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, posix, relative, sep } from "node:path";
import ts from "typescript";
import { listFiles } from "../../scripts/build-stamp.ts";
import { runCommand } from "../../scripts/command.ts";
import type { Manifest } from "../../scripts/workspace.ts";
import { declaredDependencies, workspaceRoot } from "../../scripts/workspace.ts";

/** A tarball's content: text by path inside of the package, with forward slashes. */
export interface Tarball {
  readonly manifest: Manifest;
  readonly files: ReadonlyMap<string, string>;
}

/** Unpacks a tarball to read it; leaves nothing behind. */
export async function readTarball(path: string): Promise<Tarball> {
  const folder = await mkdtemp(join(tmpdir(), "tarball-"));
  try {
    const result = await runCommand("tar", ["-xzf", path, "-C", folder], { timeoutSeconds: 30 });
    if (!result.ok) throw new Error(`tar -xzf ${path}: ${result.problem}\n${result.output}`);
    const root = join(folder, "package");
    const files = new Map<string, string>();
    for (const file of await listFiles(root, () => true)) {
      files.set(relative(root, file).split(sep).join("/"), await readFile(file, "utf8"));
    }
    const manifest = JSON.parse(files.get("package.json") ?? "{}") as Manifest;
    return { manifest, files };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * What is wrong with a tarball's content, one line each: a README or LICENSE missing, tests or
 * sources in it, source maps that point out of it, paths of the machine it was built on, imports
 * of packages that its package.json does not declare.
 */
export function findFlaws(tarball: Tarball): readonly string[] {
  const flaws: string[] = [];
  for (const required of ["README.md", "LICENSE"]) {
    if (!tarball.files.get(required)?.trim()) flaws.push(`${required} is missing`);
  }
  for (const [path, text] of tarball.files) {
    if (/(^|\/)(test|tests|__tests__|test-support)\/|\.(test|spec)\./.test(path)) {
      flaws.push(`${path} is a test`);
    } else if (
      path.startsWith("src/") ||
      (isTypeScript(path) && !isNamed(tarball.manifest, path))
    ) {
      flaws.push(`${path} is a source`);
    }
    if (text.includes(`${workspaceRoot}/`)) flaws.push(`${path} names ${workspaceRoot}`);
    if (path.endsWith(".map")) flaws.push(...findStrayMapSources(path, text));
    if (/\.[cm]?js$|\.d\.[cm]?ts$/.test(path)) {
      flaws.push(...findUndeclaredImports(tarball.manifest, path, text));
    }
  }
  return flaws;
}

function isTypeScript(path: string): boolean {
  return /(?<!\.d)\.[cm]?ts$/.test(path);
}

/** Packed on purpose: by its own name, and not as a part of some folder. */
function isNamed({ files }: Manifest, path: string): boolean {
  return files?.includes(path) === true;
}

function findStrayMapSources(path: string, text: string): readonly string[] {
  const map = JSON.parse(text) as { readonly sources?: readonly string[] };
  return (map.sources ?? [])
    .filter((source) => posix.join(dirname(path), source).startsWith(".."))
    .map((source) => `${path} points out of the package: ${source}`);
}

function findUndeclaredImports(manifest: Manifest, path: string, text: string): readonly string[] {
  const declared = declaredDependencies(manifest);
  const { importedFiles } = ts.preProcessFile(text, true, true);
  const undeclared = new Set<string>();
  for (const { fileName } of importedFiles) {
    if (/^[./]|^node:/.test(fileName) || builtinModules.includes(fileName)) continue;
    const name = fileName.split("/", fileName.startsWith("@") ? 2 : 1).join("/");
    if (name !== manifest.name && !declared.has(name)) undeclared.add(name);
  }
  return [...undeclared].map((name) => `${path} imports ${name}, which is not declared`);
}

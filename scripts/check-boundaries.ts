import { readFile } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import ts from "typescript";
import { listFiles } from "./build-stamp.ts";
import type { WorkspacePackage } from "./workspace.ts";
import { declaredDependencies, findPackages, workspaceRoot } from "./workspace.ts";

/**
 * The arrows of the house: what a package may import of the others. They point down only; a
 * package that is not in the map may not exist yet.
 */
const allowed: Readonly<Record<string, readonly string[]>> = {
  "@tidybox/protocol": [],
  "@tidybox/client": ["@tidybox/protocol"],
  "@tidybox/local": ["@tidybox/protocol"],
  "@tidybox/fixtures": ["@tidybox/client", "@tidybox/local", "@tidybox/protocol"],
  "@tidybox/vitest": ["@tidybox/fixtures", "@tidybox/client"],
  "@tidybox/jest": ["@tidybox/fixtures", "@tidybox/client"],
  tidybox: ["@tidybox/fixtures", "@tidybox/client", "@tidybox/local"],
};

export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/**
 * Every way in which the `files` of `pkg` leave the map: an arrow that is not allowed or not
 * declared in package.json, or a relative path into somebody else's folder. One line each, with
 * the file and the remedy. Tests may import any package, but by its name.
 */
export function findViolations(
  pkg: WorkspacePackage,
  files: readonly SourceFile[],
): readonly string[] {
  const { name } = pkg.manifest;
  const arrows = allowed[name];
  if (arrows === undefined) {
    return [`${name} has no entry in scripts/check-boundaries.ts: say there what it may import`];
  }
  const declared = declaredDependencies(pkg.manifest);
  const violations: string[] = [];
  for (const file of files) {
    const place = relative(workspaceRoot, file.path);
    for (const specifier of importsOf(file.text)) {
      if (specifier.startsWith(".")) {
        const target = resolve(dirname(file.path), specifier);
        if (target !== pkg.folder && !target.startsWith(pkg.folder + sep) && !isTest(file.path)) {
          violations.push(`${place} reaches out of its package: "${specifier}"`);
        } else if (isTest(file.path) && entersAnotherPackage(pkg, target)) {
          violations.push(
            `${place} reaches into another package: import it by name, not "${specifier}"`,
          );
        }
        continue;
      }
      const imported = packageOf(specifier);
      if (isTest(file.path) || !Object.hasOwn(allowed, imported) || imported === name) continue;
      if (!arrows.includes(imported)) {
        violations.push(
          `${place} imports ${specifier}, but ${name} may import ${arrows.length === 0 ? "no other package" : `only ${arrows.join(", ")}`}`,
        );
      } else if (!declared.has(imported)) {
        violations.push(`${place} imports ${specifier}: add ${imported} to its package.json`);
      }
    }
  }
  return violations;
}

/** Checks every package of the workspace; the lines are those of {@link findViolations}. */
export async function checkBoundaries(): Promise<readonly string[]> {
  const violations: string[] = [];
  for (const pkg of await findPackages("packages")) {
    const paths = await listFiles(join(pkg.folder, "src"), (_path, entry) => {
      // Folders have no extension; generated code is the generator's business.
      return entry !== "gen" && (!entry.includes(".") || /\.[cm]?[jt]sx?$/.test(entry));
    });
    const files = await Promise.all(
      paths.map(async (path) => ({ path, text: await readFile(path, "utf8") })),
    );
    violations.push(...findViolations(pkg, files));
  }
  return violations;
}

/** Static, dynamic, type-only and `require` imports, re-exports and `import("x").T` types. */
function importsOf(text: string): readonly string[] {
  const found = ts.preProcessFile(text, true, true);
  return [...found.importedFiles, ...found.typeReferenceDirectives, ...found.referencedFiles].map(
    (reference) => reference.fileName,
  );
}

function isTest(path: string): boolean {
  return path.endsWith(".test.ts") || /[\\/]test-support(\.ts$|[\\/])/.test(path);
}

function packageOf(specifier: string): string {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

function entersAnotherPackage(pkg: WorkspacePackage, target: string): boolean {
  const packages = dirname(pkg.folder) + sep;
  return target.startsWith(packages) && !target.startsWith(pkg.folder + sep);
}

if (process.argv[1] === import.meta.filename) {
  const violations = await checkBoundaries();
  for (const violation of violations) console.log(violation);
  process.exitCode = violations.length === 0 ? 0 : 1;
}

import { copyFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { hashInputs, hashOutputs, readStamp, writeStamp } from "./build-stamp.ts";
import { runShell } from "./command.ts";
import type { WorkspacePackage } from "./workspace.ts";
import { declaredDependencies, findPackages, workspaceRoot } from "./workspace.ts";

export interface BuildOptions {
  /** Builds also what did not change. Default false. */
  readonly force?: boolean;
  readonly signal?: AbortSignal;
}

/** `outputs` is set when the package's dist is there and up to date. */
type BuildResult = { readonly name: string } & (
  | { readonly state: "built" | "unchanged"; readonly outputs: string; readonly seconds: number }
  | { readonly state: "failed"; readonly problem: string }
);

/**
 * Builds every package of packages/ after the ones it depends on, as its own `build` script says,
 * and skips those whose inputs and outputs are as the last build left them. Prints one line per
 * package. Resolves to false when one could not be built.
 */
export async function buildAll(options: BuildOptions = {}): Promise<boolean> {
  const packages = await findPackages("packages");
  const byName = new Map(packages.map((pkg) => [pkg.manifest.name, pkg]));
  const building = new Map<string, Promise<BuildResult>>();

  const buildOnce = (pkg: WorkspacePackage, path: readonly string[]): Promise<BuildResult> => {
    const { name } = pkg.manifest;
    if (path.includes(name)) {
      throw new Error(`packages depend on each other in a circle: ${[...path, name].join(" → ")}`);
    }
    const known = building.get(name);
    if (known !== undefined) return known;
    const below = [...declaredDependencies(pkg.manifest)]
      .map((dependency) => byName.get(dependency))
      .filter((dependency) => dependency !== undefined)
      .map((dependency) => buildOnce(dependency, [...path, name]));
    const result = Promise.all(below).then((results) => buildPackage(pkg, results, options));
    building.set(name, result);
    return result;
  };

  const results = await Promise.all(packages.map((pkg) => buildOnce(pkg, [])));
  return results.every((result) => result.state !== "failed");
}

async function buildPackage(
  pkg: WorkspacePackage,
  below: readonly BuildResult[],
  options: BuildOptions,
): Promise<BuildResult> {
  const { name, scripts } = pkg.manifest;
  const fail = (problem: string, output = ""): BuildResult => {
    console.log(`build  ${name}  FAILED: ${problem}${output === "" ? "" : `\n${output}`}`);
    return { name, state: "failed", problem };
  };

  const broken = below.find((result) => result.state === "failed");
  if (broken !== undefined) return fail(`not built, because ${broken.name} is not`);
  const script = scripts?.["build"];
  if (script === undefined) return fail(`${pkg.folder}/package.json has no "build" script`);

  // npm packs a LICENSE that stands beside package.json; git keeps only the one at the root.
  await copyFile(join(workspaceRoot, "LICENSE"), join(pkg.folder, "LICENSE"));

  const inputs = await hashInputs(
    pkg,
    below.map((result) => (result.state === "failed" ? "" : result.outputs)),
  );
  const before = await readStamp(pkg);
  if (!options.force && before?.inputs === inputs) {
    const outputs = await hashOutputs(pkg);
    if (outputs !== undefined && outputs === before.outputs) {
      console.log(`build  ${name}  unchanged`);
      return { name, state: "unchanged", outputs, seconds: 0 };
    }
  }

  // What an older build has left would be packed too.
  await rm(join(pkg.folder, "dist"), { recursive: true, force: true });
  const result = await runShell(script, {
    cwd: pkg.folder,
    timeoutSeconds: 180,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  if (!result.ok) return fail(`\`${script}\` in ${pkg.folder}: ${result.problem}`, result.output);
  const outputs = await hashOutputs(pkg);
  if (outputs === undefined) {
    return fail(`\`${script}\` in ${pkg.folder} left no dist folder`, result.output);
  }
  await writeStamp(pkg, { inputs, outputs });
  console.log(`build  ${name}  ${Math.round(result.seconds * 1000)} ms`);
  return { name, state: "built", outputs, seconds: result.seconds };
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({ options: { force: { type: "boolean", default: false } } });
  process.exitCode = (await buildAll({ force: values.force })) ? 0 : 1;
}

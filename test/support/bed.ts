import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { outsideEnvironment } from "./environment.ts";

/** A folder outside the workspace into which the packed packages and one runner are installed. */
export interface Bed {
  readonly framework: "vitest" | "jest";
  /** What was asked for: `3.2`, `4`, `5`; `29.7`, `30`. */
  readonly version: string;
  readonly directory: string;
  /** The Node that runs it. */
  readonly node: string;
}

/** A project in a bed. Removed when disposed. */
export interface Project extends AsyncDisposable {
  readonly bed: Bed;
  readonly directory: string;
  /** The runs' own TMPDIR, so that what one leaves there is not another's. */
  readonly temp: string;
}

export const SUPPORTED_VERSIONS = ["3.2", "4", "5"] as const;

/** `TIDYBOX_TEST_VITEST=3.2,5` narrows it down. */
export function wantedVersions(): readonly string[] {
  const asked = process.env["TIDYBOX_TEST_VITEST"];
  if (asked === undefined || asked === "") return SUPPORTED_VERSIONS;
  return asked.split(",").map((version) => version.trim());
}

export async function installBed(
  root: string,
  version: string,
  tarballs: Readonly<Record<string, string>>,
  nodeVersion?: string,
): Promise<Bed> {
  const directory = join(
    root,
    `vitest-${version}${nodeVersion === undefined ? "" : `-node-${nodeVersion}`}`,
  );
  const dependencies: Record<string, string> = {
    vitest: version.includes(".") ? `~${version}.0` : `^${version}.0.0`,
  };
  for (const [name, path] of Object.entries(tarballs)) {
    // It would bring its Jest along.
    if (name !== "@tidybox/jest") dependencies[name] = `file:${path}`;
  }
  if (nodeVersion !== undefined) dependencies["node"] = `^${nodeVersion}.0.0`;
  await installInto(directory, dependencies);
  const node =
    nodeVersion === undefined ? process.execPath : join(directory, "node_modules/node/bin/node");
  return { framework: "vitest", version, directory, node };
}

/** Makes the folder and lets npm install there, as a user outside the workspace would. */
export async function installInto(
  directory: string,
  dependencies: Readonly<Record<string, string>>,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(
    join(directory, "package.json"),
    JSON.stringify({ name: "bed", private: true, type: "module", dependencies }, undefined, 2),
  );
  await execa(
    "npm",
    ["install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"],
    {
      cwd: directory,
      env: outsideEnvironment(),
      extendEnv: false,
      timeout: 240_000,
      stdin: "ignore",
    },
  );
}

/** Writes a project's files. Vitest's `vitest.config.ts` is made when the files bring none. */
export async function makeProject(
  bed: Bed,
  files: Readonly<Record<string, string>>,
): Promise<Project> {
  const directory = await mkdtemp(join(bed.directory, "project-"));
  const all = {
    "package.json": '{ "type": "module" }\n',
    ...(bed.framework === "vitest" ? { "vitest.config.ts": configFile("{}") } : {}),
    ...files,
  };
  for (const [name, content] of Object.entries(all)) {
    const path = join(directory, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
  const temp = await mkdtemp(join(tmpdir(), "tidybox-temp-"));
  // Sticky and open to all, as /tmp is: a service that root starts goes on as somebody else.
  await chmod(temp, 0o1777);
  return {
    bed,
    directory,
    temp,
    [Symbol.asyncDispose]: async () => {
      for (const path of [directory, temp])
        await rm(path, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** A configuration with the plugin; both arguments are source text. */
export function configFile(options: string, test = "{}"): string {
  return [
    'import { defineConfig } from "vitest/config";',
    'import { tidybox } from "@tidybox/vitest/plugin";',
    `export default defineConfig({ plugins: [tidybox(${options})], test: ${test} });`,
    "",
  ].join("\n");
}

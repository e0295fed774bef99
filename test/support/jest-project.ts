import { access, chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { inject } from "vitest";
import { outsideEnvironment } from "./environment.ts";
import { until } from "./observer.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The packed packages, and a folder for beds that are only installed when a test asks. */
    readonly packed: {
      readonly root: string;
      readonly tarballs: Readonly<Record<string, string>>;
    };
  }
}

/** A folder outside the workspace with the packed packages and one Jest. */
export interface JestBed {
  /** What was asked for: `29.7`, `30`. */
  readonly version: string;
  readonly directory: string;
}

/** A Jest project in a bed. Removed when disposed. */
export interface JestProject extends AsyncDisposable {
  readonly bed: JestBed;
  readonly directory: string;
  /** The runs' own TMPDIR, so that what one leaves there is not another's. */
  readonly temp: string;
}

export const JEST_VERSIONS = ["29.7", "30"] as const;

/** `TIDYBOX_TEST_JEST=30` narrows it down. */
export function wantedJests(): readonly string[] {
  const asked = process.env["TIDYBOX_TEST_JEST"];
  if (asked === undefined || asked === "") return JEST_VERSIONS;
  return asked.split(",").map((version) => version.trim());
}

const INSTALL_SECONDS = 240;

/** The bed of this version: installed by the first that asks, awaited by the others. */
export async function jestBed(version: string): Promise<JestBed> {
  const { root, tarballs } = inject("packed");
  const directory = join(root, `jest-${version}`);
  const installed = join(directory, "installed");
  const isFirst = await mkdir(directory).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "EEXIST") return false;
      throw error;
    },
  );
  if (isFirst) {
    await install(directory, version, tarballs);
    await writeFile(installed, "");
  } else {
    const isThere = (): Promise<boolean> =>
      access(installed).then(
        () => true,
        () => false,
      );
    await until(
      `Jest ${version}, which another test file installs`,
      INSTALL_SECONDS,
      isThere,
      Boolean,
    );
  }
  return { version, directory };
}

async function install(
  directory: string,
  version: string,
  tarballs: Readonly<Record<string, string>>,
): Promise<void> {
  const jest = version.includes(".") ? `~${version}.0` : `^${version}.0.0`;
  const packed = Object.entries(tarballs).map(([name, path]) => [name, `file:${path}`]);
  const dependencies = {
    ...Object.fromEntries(packed),
    jest,
    "@jest/globals": jest,
    "jest-environment-jsdom": jest,
  };
  await writeFile(
    join(directory, "package.json"),
    JSON.stringify({ name: `jest-bed-${version}`, private: true, dependencies }, undefined, 2),
  );
  await execa(
    "npm",
    ["install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"],
    {
      cwd: directory,
      env: outsideEnvironment(),
      extendEnv: false,
      timeout: INSTALL_SECONDS * 1000,
      stdin: "ignore",
    },
  );
}

/** Writes a project's files. `jest.config.cjs` with the preset is made when the files bring none. */
export async function makeJestProject(
  bed: JestBed,
  files: Readonly<Record<string, string>>,
): Promise<JestProject> {
  const directory = await mkdtemp(join(bed.directory, "project-"));
  const all = { "package.json": "{}\n", "jest.config.cjs": jestConfig(), ...files };
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

/** A configuration with the preset, no transpiler and what is given on top. */
export function jestConfig(extra: object = {}): string {
  const config = { preset: "@tidybox/jest", transform: {}, testTimeout: 60_000, ...extra };
  return `module.exports = ${JSON.stringify(config, undefined, 2)};\n`;
}

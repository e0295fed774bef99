import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { outsideEnvironment } from "../../support/environment.ts";
import type { JestVersion, NodeVersion } from "./cells.ts";

/** A folder outside of the workspace with one Jest, every transpiler and the packed packages. */
export interface JestBed {
  readonly version: JestVersion;
  readonly directory: string;
  readonly nodes: Readonly<Record<NodeVersion, string>>;
}

export async function installJestBed(
  root: string,
  version: JestVersion,
  tarballs: Readonly<Record<string, string>>,
): Promise<JestBed> {
  const directory = join(root, `jest-${version}`);
  await mkdir(directory, { recursive: true });
  const jest = version.includes(".") ? `~${version}.0` : `^${version}.0.0`;
  const packed = Object.entries(tarballs).map(([name, path]) => [name, `file:${path}`]);
  const dependencies = {
    ...Object.fromEntries(packed),
    jest,
    "@jest/globals": jest,
    "babel-jest": jest,
    "@babel/core": "^7.28.0",
    "@babel/preset-env": "^7.28.0",
    "babel-plugin-istanbul": "^7.0.0",
    "ts-jest": "^29.4.0",
    // The last one that knows ES5.
    typescript: "~5.9.0",
    "@swc/core": "^1.15.0",
    "@swc/jest": "^0.2.39",
    node: "^22.0.0",
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
      timeout: 240_000,
      stdin: "ignore",
    },
  );
  return {
    version,
    directory,
    nodes: { "22": join(directory, "node_modules/node/bin/node"), "24": process.execPath },
  };
}

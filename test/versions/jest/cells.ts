import { TRANSPILERS, type Transpiler } from "./transpilers.ts";

export type ModuleSystem = "cjs" | "esm";
export type Pool = "workers" | "workerThreads" | "in band";
export type NodeVersion = "22" | "24";

export const JEST_VERSIONS = ["29.7", "30"] as const;
export type JestVersion = (typeof JEST_VERSIONS)[number];

export const POOLS: readonly Pool[] = ["workers", "workerThreads", "in band"];
const MODULE_SYSTEMS: readonly ModuleSystem[] = ["cjs", "esm"];
const NODES: readonly NodeVersion[] = ["24", "22"];

/** One process of Jest, with a project for each transpiler: a cell of the matrix is one of those. */
export interface Launch {
  readonly jest: JestVersion;
  readonly modules: ModuleSystem;
  readonly pool: Pool;
  readonly node: NodeVersion;
  readonly transpilers: readonly Transpiler[];
}

/** One of each tool, and of the hard ones. */
const SAMPLE = ["none", "babel ie 11", "ts-jest ES5", "swc es2015"];
/** Where the pool or the Node is what differs. */
const ONE = ["none"];

/**
 * The transpiler is what decides how a fixture is found, so CI runs all of them, in one pool on one
 * Node as CommonJS, samples as ES modules, and one in the other pools and on the other Node.
 * `TIDYBOX_TEST_JEST_MATRIX=full` runs every cell.
 */
export function wantedLaunches(env: NodeJS.ProcessEnv = process.env): readonly Launch[] {
  if (env["TIDYBOX_TEST_JEST_MATRIX"] === "full") return allLaunches();
  return allLaunches().flatMap((launch) => {
    const isUsual = launch.pool === "workers" && launch.node === "24";
    if (isUsual && launch.modules === "cjs") return [launch];
    if (launch.pool !== "workers" && launch.node === "22") return [];
    const names = isUsual ? SAMPLE : ONE;
    return [{ ...launch, transpilers: TRANSPILERS.filter(({ name }) => names.includes(name)) }];
  });
}

export function allLaunches(): readonly Launch[] {
  return JEST_VERSIONS.flatMap((jest) =>
    NODES.flatMap((node) =>
      MODULE_SYSTEMS.flatMap((modules) =>
        POOLS.map((pool) => ({ jest, modules, pool, node, transpilers: TRANSPILERS })),
      ),
    ),
  );
}

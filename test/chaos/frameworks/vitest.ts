import { join } from "node:path";
import { wantedVersions } from "../../support/bed.ts";
import type { Framework, Setup } from "../framework.ts";
import { NOTES_FILE, type RunPlan } from "../suite/plan.ts";
import { type Dialect, testFiles } from "../suite/sources.ts";
import { bareVitest } from "./vitest-bare.ts";

interface Pool {
  readonly pool: "forks" | "threads" | "vmForks" | "vmThreads";
  readonly isolate: boolean;
}

const POOLS: Readonly<Record<string, Pool>> = {
  forks: { pool: "forks", isolate: true },
  "forks-shared": { pool: "forks", isolate: false },
  threads: { pool: "threads", isolate: true },
  "threads-shared": { pool: "threads", isolate: false },
  "vm-forks": { pool: "vmForks", isolate: true },
  "vm-threads": { pool: "vmThreads", isolate: true },
};

const ES_MODULES: Dialect = {
  extension: ".ts",
  globals: 'import { afterEach, test } from "@tidybox/vitest";',
  importOf: (names, from) => `import { ${names.join(", ")} } from ${JSON.stringify(from)};`,
  exportOf: (names) => `export { ${names.join(", ")} };`,
};

export const vitest: Framework = {
  name: "vitest",
  title: "Vitest",
  setups: wantedVersions().flatMap((version) =>
    Object.entries(POOLS).map(([name, { pool }]): Setup => {
      const forks = pool === "forks" || pool === "vmForks";
      return {
        framework: "vitest",
        version,
        pool: name,
        workersAreProcesses: forks,
        inBand: false,
        restartsWorkers: pool === "vmForks" || pool === "vmThreads",
        diesWithAWorker: version === "3.2" && forks,
        diesOfSignals: false,
      };
    }),
  ),
  files: (setup, plan) => ({
    "vitest.config.ts": configSource(poolOf(setup), plan),
    ...testFiles(plan, ES_MODULES),
  }),
  bareFiles: (setup, bodies) => bareVitest(poolOf(setup).pool, bodies),
  command: (bed) => [
    bed.node,
    join(bed.directory, "node_modules/vitest/vitest.mjs"),
    "run",
    "--root=.",
  ],
};

function poolOf({ pool }: Setup): Pool {
  const known = POOLS[pool];
  if (known === undefined) throw new Error(`Vitest has no pool ${pool} here`);
  return known;
}

function configSource({ pool, isolate }: Pool, plan: RunPlan): string {
  const options = {
    runId: plan.runId,
    maxSandboxes: plan.maxSandboxes,
    ...(plan.faults === undefined ? {} : { local: { faults: plan.faults } }),
  };
  const limit = plan.tinyMemoryLimit ? { memoryLimit: "1MB" } : {};
  const test = {
    pool,
    isolate,
    maxWorkers: plan.workers,
    // Vitest 3.2 trips over its own threads when it ends one that it does not need.
    minWorkers: plan.workers,
    hookTimeout: 20_000,
    ...(plan.bail ? { bail: 1 } : {}),
    ...(plan.tinyMemoryLimit ? { vmMemoryLimit: "1MB" } : {}),
    // Where Vitest 3.2 has them.
    poolOptions: { vmForks: limit, vmThreads: limit },
  };
  return `
import { appendFileSync } from "node:fs";
import { defineConfig } from "vitest/config";
import { tidybox } from "@tidybox/vitest/plugin";
const note = (kind) =>
  appendFileSync(${JSON.stringify(NOTES_FILE)}, JSON.stringify({ kind, pid: process.pid }) + "\\n");
note("runner");
export default defineConfig({
  plugins: [tidybox(${JSON.stringify(options)})],
  test: { ...${JSON.stringify(test)}, reporters: ["default", { onTestRunEnd: () => note("tests-over") }] },
});
`;
}

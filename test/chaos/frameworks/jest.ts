import { join } from "node:path";
import { wantedJestVersions } from "../../support/jest-bed.ts";
import type { Framework, Setup } from "../framework.ts";
import { jestFiles } from "../suite/jest-project.ts";
import { bareJest } from "./jest-bare.ts";

/** As Jest chooses them: `workerThreads`, `-i`. */
const POOLS = ["workers", "worker-threads", "in-band"] as const;

export const jest: Framework = {
  name: "jest",
  title: "Jest",
  setups: wantedJestVersions().flatMap((version) =>
    POOLS.map((pool): Setup => {
      const inBand = pool === "in-band";
      return {
        framework: "jest",
        version,
        pool,
        workersAreProcesses: pool === "workers",
        inBand,
        restartsWorkers: !inBand,
        diesWithAWorker: false,
        diesOfSignals: true,
      };
    }),
  ),
  files: (setup, plan) => jestFiles(usesThreads(setup), plan),
  bareFiles: (setup, bodies) => bareJest(usesThreads(setup), bodies),
  command: (bed, { inBand }) => [
    bed.node,
    join(bed.directory, "node_modules/jest/bin/jest.js"),
    ...(inBand ? ["--runInBand"] : []),
  ],
};

function usesThreads({ pool }: Setup): boolean {
  return pool === "worker-threads";
}

import { parseArgs } from "node:util";
import { bareBwrapSuite } from "./cases/bare-bwrap-suite.ts";
import { burst } from "./cases/burst.ts";
import { clientImport } from "./cases/client-import.ts";
import { coordinator } from "./cases/coordinator.ts";
import { criticalPath } from "./cases/critical-path.ts";
import { docker } from "./cases/docker.ts";
import { exec } from "./cases/exec.ts";
import { hundred } from "./cases/hundred.ts";
import { jestCold } from "./cases/jest-cold.ts";
import { jestMemory } from "./cases/jest-memory.ts";
import { jestTests } from "./cases/jest-tests.ts";
import { lifecycle } from "./cases/lifecycle.ts";
import { manyAlive } from "./cases/many-alive.ts";
import { pluginCold } from "./cases/plugin-cold.ts";
import { reapLeaked } from "./cases/reap.ts";
import { scale } from "./cases/scale.ts";
import { streaming } from "./cases/streaming.ts";
import { thousandExecs } from "./cases/thousand-execs.ts";
import { warmSuite } from "./cases/warm-suite.ts";
import { type Result, printReport } from "./report.ts";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    // Of warm-suite: `embedded`, `2s/16`, with commas; and how often each of them.
    cells: { type: "string" },
    rounds: { type: "string", default: "1" },
  },
});
const quick = values.quick;
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1)
  throw new Error("--rounds takes a whole number from 1 up");

/** Each case prints ratios or differences measured side by side in this one run. */
const CASES: Readonly<Record<string, () => Promise<readonly Result[]>>> = {
  lifecycle: () => lifecycle(quick ? 5 : 60),
  exec: () => exec(quick ? 20 : 200),
  burst: () => burst(quick ? 10 : 100, quick ? 1 : 7),
  "many-alive": () => manyAlive(quick ? 20 : 1000),
  "client-import": () => clientImport(quick ? 2 : 21),
  hundred: () => hundred(quick ? 10 : 100, quick ? 1 : 7),
  streaming: () => streaming(quick ? 16 : 256, quick ? 1 : 5),
  "thousand-execs": () => thousandExecs(quick ? 50 : 1000),
  reap: () => reapLeaked(quick ? [10, 100] : [10, 100, 1000]),
  coordinator: () => coordinator(quick ? 3 : 15),
  docker: () => docker(quick ? 5 : 40),
  "plugin-cold": () => pluginCold(quick ? 2 : 11),
  "jest-tests": () => jestTests(quick ? 8 : 200),
  "jest-cold": () => jestCold(quick ? 1 : 11),
  "warm-suite": () =>
    warmSuite({
      tests: quick ? 12 : 200,
      startSeconds: quick ? [0.1] : [0.3, 2, 10],
      slots: quick ? [8] : [8, 16, 64],
      rounds,
      cells: values.cells?.split(","),
    }),
  "critical-path": () => criticalPath(quick ? 4 : 60, quick ? 0.1 : 2),
  "bare-bwrap-suite": () => bareBwrapSuite(quick ? 12 : 200, quick ? 1 : 7),
  scale: () => scale(quick ? [64, 256] : [100, 1000, 10_000]),
  "jest-memory": () => jestMemory(quick ? 1 : 7),
};

const results: Result[] = [];
for (const [name, run] of Object.entries(CASES)) {
  if (values.only !== undefined && values.only !== name) continue;
  process.stderr.write(`${name} …\n`);
  results.push(...(await run()));
}
printReport(results, !quick);

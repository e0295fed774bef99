import { bareBubblewrap } from "../bare.ts";
import { sideBySide } from "../measure.ts";
import { describeRatio, describeSample, type Result } from "../report.ts";
import { makeVitestProject, type VitestProject } from "../vitest-project.ts";

const WORKERS = 4;
const FILES = ["a", "b", "c", "d"] as const;
const LIMIT = 1.3;

const BARE_CONFIG = `export default { test: { maxWorkers: ${WORKERS}, testTimeout: 60_000 } };\n`;

const PLUGIN_CONFIG = `
  import { tidybox } from "@tidybox/vitest/plugin";
  export default {
    plugins: [tidybox({ backend: "local", local: { engine: "bubblewrap" } })],
    test: { maxWorkers: ${WORKERS}, testTimeout: 60_000 },
  };
`;

/** As a user would write it who has nothing but bubblewrap. */
const bareTests = (count: number): string => `
  import { spawn } from "node:child_process";
  import { expect, test } from "vitest";
  const [command, ...args] = ${JSON.stringify(bareBubblewrap(["true"], false))};
  const run = () =>
    new Promise((resolve, reject) => {
      const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
      child.stdout.resume();
      child.stderr.resume();
      child.once("error", reject);
      child.once("close", resolve);
    });
  for (let index = 0; index < ${count}; index += 1)
    test("test " + index, async () => { expect(await run()).toBe(0); });
`;

const testsWithFixture = (count: number): string => `
  import { expect, test } from "@tidybox/vitest";
  for (let index = 0; index < ${count}; index += 1)
    test("test " + index, async ({ sandbox }) => { expect((await sandbox.exec(["true"])).exitCode).toBe(0); });
`;

/** A whole suite on the embedded engine, against one whose tests spawn a bare bubblewrap each. */
export async function bareBwrapSuite(tests: number, rounds: number): Promise<readonly Result[]> {
  const each = Math.ceil(tests / FILES.length);
  const project = (config: string, text: string): Promise<VitestProject> =>
    makeVitestProject({
      "vitest.config.mjs": config,
      ...Object.fromEntries(FILES.map((file) => [`${file}.test.js`, text])),
    });
  await using bare = await project(BARE_CONFIG, bareTests(each));
  await using ours = await project(PLUGIN_CONFIG, testsWithFixture(each));
  const whole = async (suite: VitestProject): Promise<number> => {
    const { spawnedAt, exitedAt } = await suite.run();
    return exitedAt - spawnedAt;
  };
  const samples = await sideBySide(
    [
      { name: `${tests} tests with a sandbox each`, once: () => whole(ours) },
      { name: `${tests} tests that spawn a bare bwrap each`, once: () => whole(bare) },
    ],
    rounds,
    1,
  );
  const [sandboxes, spawns] = samples;
  return [
    {
      name: `a suite of ${tests} tests on the embedded engine, ${WORKERS} workers, against bare spawns of bwrap`,
      value: (sandboxes?.medianMs ?? Number.NaN) / (spawns?.medianMs ?? Number.NaN),
      unit: "×",
      limit: LIMIT,
      figures: [...samples.map(describeSample), describeRatio(sandboxes, spawns)],
      samples,
    },
  ];
}

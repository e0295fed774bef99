import { makeJestBed } from "../jest-bed.ts";
import { summarize } from "../measure.ts";
import { type Result, describeSample } from "../report.ts";

/** Of each kind, before anything counts: the worker opens its session, code becomes warm. */
const WARMUP_ROUNDS = 10;

const LIMIT_MILLISECONDS = 3;

/**
 * Jest's environment under ours, with a clock in circus' events. What stands between two starts of
 * tests is all that a test costs: its hooks, its function, what is done after it, and circus itself.
 */
const ENVIRONMENT = `
  const { appendFileSync } = require("node:fs");
  const { TestEnvironment } = require("jest-environment-node");
  const { withSandboxes } = require("@tidybox/jest/environment");
  class ClockEnvironment extends TestEnvironment {
    last = undefined;
    functionAt = 0;
    times = {};
    note(kind, ms) { (this.times[kind] ??= []).push(ms); }
    handleTestEvent(event) {
      const now = performance.now();
      if (event.name === "test_start" || event.name === "run_finish") {
        if (this.last !== undefined) this.note(this.last.name + ".test", now - this.last.at);
        this.last = event.test === undefined ? undefined : { name: event.test.name, at: now };
      }
      if (event.name === "test_fn_start") this.functionAt = now;
      if (event.name === "test_fn_success") this.note(event.test.name + ".function", now - this.functionAt);
    }
    async teardown() {
      for (const [kind, times] of Object.entries(this.times))
        appendFileSync(kind + ".txt", times.join("\\n") + "\\n");
      await super.teardown();
    }
  }
  module.exports = withSandboxes(ClockEnvironment);
`;

/** One file; a round has a test of each kind, and each round begins with another one. */
const SUITE = (rounds: number): string => `
  const kinds = [
    () => test("bare", async () => {}),
    () => test("run", async ({ run }) => { if (!run.id) throw new Error(); }),
    () => test("session", async ({ session }) => { if (!session) throw new Error(); }),
    () => test("createSandbox", async ({ createSandbox }) => { if (!createSandbox) throw new Error(); }),
  ];
  for (let round = 0; round < ${rounds}; round += 1)
    for (let index = 0; index < kinds.length; index += 1) kinds[(index + round) % kinds.length]();
`;

const READY_SUITE = (rounds: number): string => `
  for (let round = 0; round < ${rounds}; round += 1) {
    describe("bare", () => {
      beforeEach(async () => {});
      test("bare beside it", async () => {});
    });
    describe("ready", () => {
      beforeEach(async ({ sandbox }) => { await sandbox.exec(["true"]); });
      test("ready sandbox", async ({ sandbox }) => { if (!sandbox.id) throw new Error(); });
    });
  }
`;

/**
 * What fixtures that are there already cost a test, over a bare one of the same file.
 *
 * For `run`, `session` and `createSandbox` that is from the start of the test to the start of the
 * next one, everything after the test included. For a sandbox that a `beforeEach` has had made it is
 * the function alone, as circus times it: creating a sandbox and handing it back are no overhead,
 * and have limits of their own.
 */
export async function jestTests(rounds: number): Promise<readonly Result[]> {
  await using bed = await makeJestBed();
  const project = await bed.project({
    "jest.config.json": JSON.stringify({
      preset: "@tidybox/jest",
      testEnvironment: "./environment.js",
    }),
    "environment.js": ENVIRONMENT,
    "fixtures.test.js": SUITE(rounds + WARMUP_ROUNDS),
    "ready.test.js": READY_SUITE(Math.ceil(rounds / 4) + WARMUP_ROUNDS),
  });
  await project.run("--runInBand");
  const sampleOf = async (kind: string, part: string) =>
    summarize(kind, (await project.takeNumbers(`${kind}.${part}.txt`)).slice(WARMUP_ROUNDS));
  const bare = await sampleOf("bare", "test");
  const others = await Promise.all(
    ["run", "session", "createSandbox"].map((kind) => sampleOf(kind, "test")),
  );
  const besideReady = await sampleOf("bare beside it", "function");
  const ready = await sampleOf("ready sandbox", "function");
  const differences = [
    ...others.map((sample) => ({ sample, ms: sample.medianMs - bare.medianMs })),
    { sample: ready, ms: ready.medianMs - besideReady.medianMs },
  ];
  const samples = [bare, ...others, besideReady, ready];
  return [
    {
      name: "Jest: what a test with a fixture that is ready costs over a bare one, the dearest of them",
      value: Math.max(...differences.map(({ ms }) => ms)),
      unit: "ms",
      limit: LIMIT_MILLISECONDS,
      figures: [
        ...samples.map(describeSample),
        ...differences.map(({ sample, ms }) => `${sample.name}: ${ms.toFixed(2)} ms more`),
      ],
      samples,
    },
  ];
}

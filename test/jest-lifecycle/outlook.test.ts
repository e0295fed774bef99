import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { jestBed, jestConfig, makeJestProject, wantedJests } from "../support/jest-project.ts";
import { runJest } from "../support/jest-runner.ts";
import { asksIn, expectationsIn, keptAsks } from "../support/outlooks.ts";

const MIXED = `
test("first", async ({ sandbox }) => { expect(sandbox.id).toBeTruthy(); });
test("without", () => {});
test.skip("skipped", async ({ sandbox }) => {});
test.todo("todo");
test.each(["a", "b"])("each %s", (letter) => {});
test.each(["a", "b"])("with %s", async (letter, { sandbox }) => { expect(sandbox.id).toBeTruthy(); });
describe.skip("a skipped describe", () => {
  test("in it", async ({ sandbox }) => {});
  describe("inner", () => { test("deeper", async ({ sandbox }) => {}); });
});
describe("of its hook", () => {
  beforeEach(async ({ sandbox }) => { expect(sandbox.id).toBeTruthy(); });
  test("one", () => {});
  describe("inner", () => { test("two", () => {}); });
});
test("makes more", async ({ createSandbox }) => {
  await createSandbox();
  await createSandbox({ environment: { A: "1" } });
});
test("of the worker", async ({ session, run }) => { expect(run.id).toBeTruthy(); });
test.failing("fails", async ({ sandbox }) => { throw new Error(sandbox.id); });
test("last", async ({ sandbox }) => { expect(sandbox.id).toBeTruthy(); });
`;

const MIXED_ASKS = [
  "first 1/6",
  "with a 5/5",
  "with b 6/4",
  "of its hook > one 7/3",
  "of its hook > inner > two 8/2",
  "makes more 9/2",
  "makes more 9/2",
  "fails 11/1",
  "last 12/0",
];

const OPTIONS_AND_ONLY = `
const { test: sandboxed } = require("@tidybox/jest");
sandboxed("not focused", async ({ sandbox }) => {});
describe.only("focused", () => {
  describe("with options", () => {
    sandboxed.use({ environment: { A: "1" } });
    sandboxed("one", async ({ sandbox }) => {});
    sandboxed.skip("skipped", async ({ sandbox }) => {});
    sandboxed("two", async ({ sandbox }) => {});
  });
  sandboxed("with none", async ({ sandbox }) => {});
  describe("with the same options", () => {
    sandboxed.use({ environment: { A: "1" } });
    sandboxed("three", async ({ sandbox }) => {});
  });
  sandboxed("with none again", async ({ sandbox }) => {});
});
`;

const OPTIONS_ASKS = [
  "focused > with options > one 1/2",
  "focused > with options > two 2/1",
  "focused > with none 3/1",
  "focused > with the same options > three 4/0",
  "focused > with none again 5/0",
];

const RETRIED = `
jest.retryTimes(2);
let attempt = 0;
test("at the third attempt", async ({ sandbox }) => {
  expect(sandbox.id).toBeTruthy();
  attempt += 1;
  expect(attempt).toBe(3);
});
test("afterwards", async ({ sandbox }) => { expect(sandbox.id).toBeTruthy(); });
`;

/** Circus runs the others first, and then the retries. */
const RETRIED_ASKS = [
  "at the third attempt 1/1",
  "afterwards 2/0",
  "at the third attempt 2/0",
  "at the third attempt 2/0",
];

const AT_ONCE = `
test.concurrent("one", async ({ sandbox }) => { await sandbox.exec(["sleep", "0.5"]); });
test.concurrent("two", async ({ sandbox }) => { await sandbox.exec(["sleep", "0.5"]); });
test.concurrent.skip("skipped", async ({ sandbox }) => {});
test("then", async ({ sandbox }) => { expect(sandbox.id).toBeTruthy(); });
`;

const AT_ONCE_ASKS = ["one 2/1", "two 2/1", "then 3/0"];

const FILES = {
  "jest.config.cjs": jestConfig({
    testEnvironmentOptions: { tidybox: { local: { engine: "process" } } },
  }),
  "mixed.test.js": MIXED,
  "deep/options.test.js": OPTIONS_AND_ONLY,
  "retried.test.js": RETRIED,
  "at-once.test.js": AT_ONCE,
  "without.test.js": `test("needs no sandbox", () => {});`,
  // Where its history is kept; else that is the bed's.
  "node_modules/.keep": "",
};

const DEBUG = { TIDYBOX_LOG: "debug" };

describe.each(wantedJests())("Jest %s", (version) => {
  test("each ask says how many tests have begun, and exactly how many are left", async () => {
    await using project = await makeJestProject(await jestBed(version), FILES);
    const run = await runJest(project, { env: DEBUG });
    expect(run.exitCode, run.output).toBe(0);
    const asks = asksIn(run.output);
    const of = (name: string) => asks.filter(({ file }) => file === name).map(({ text }) => text);
    expect(of("mixed.test.js")).toEqual(MIXED_ASKS);
    expect(of("deep/options.test.js")).toEqual(OPTIONS_ASKS);
    expect(of("retried.test.js")).toEqual(RETRIED_ASKS);
    expect(of("at-once.test.js")).toEqual(AT_ONCE_ASKS);
    const uncertain = asks.filter(({ certain }) => !certain).map(({ text }) => text);
    expect(uncertain).toEqual(["makes more 9/2", "makes more 9/2"]);
    expect(expectationsIn(run.output)).toEqual([["all", "known", "files"]]);
    expect(await keptAsks(project)).toEqual({
      "mixed.test.js": MIXED_ASKS.length,
      "deep/options.test.js": OPTIONS_ASKS.length,
      "retried.test.js": RETRIED_ASKS.length,
      "at-once.test.js": AT_ONCE_ASKS.length,
    });
  });

  test("with a name pattern only the chosen tests count, nothing is expected, nothing is kept", async () => {
    await using project = await makeJestProject(await jestBed(version), FILES);
    const run = await runJest(project, { args: ["-t", "with|last"], env: DEBUG });
    expect(run.exitCode, run.output).toBe(0);
    const asks = asksIn(run.output);
    expect(asks.filter(({ file }) => file === "mixed.test.js").map(({ text }) => text)).toEqual([
      "with a 2/2",
      "with b 3/1",
      "last 4/0",
    ]);
    expect(expectationsIn(run.output)).toEqual([]);
    expect(await keptAsks(project)).toBeUndefined();
  });

  test("one file chosen: nothing is expected, and what is known of those that are there stays", async () => {
    await using project = await makeJestProject(await jestBed(version), FILES);
    await runJest(project);
    const file = join(project.directory, "at-once.test.js");
    await writeFile(file, AT_ONCE.replace("concurrent.skip", "concurrent"));
    await rm(join(project.directory, "deep"), { recursive: true });
    const run = await runJest(project, { args: ["at-once"], env: DEBUG });
    expect(expectationsIn(run.output)).toEqual([]);
    expect(await keptAsks(project)).toEqual({
      "mixed.test.js": MIXED_ASKS.length,
      "retried.test.js": RETRIED_ASKS.length,
      "at-once.test.js": AT_ONCE_ASKS.length + 1,
    });
  });
});

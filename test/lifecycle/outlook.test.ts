import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, inject, test } from "vitest";
import { type Bed, type Project, configFile, makeProject } from "../support/bed.ts";
import { launch } from "../support/launch.ts";
import { asksIn, expectationsIn, keptAsks } from "../support/outlooks.ts";
import { processesWith, until } from "../support/observer.ts";
import { runVitest } from "../support/runner.ts";

const OPTIONS = '{ local: { engine: "process" } }';

const EXTENDED = `
import { describe, expect, test } from "@tidybox/vitest";
test("first", async ({ sandbox }) => { expect(sandbox.id).toBeTruthy(); });
test("without", () => {});
test.skip("skipped", async ({ sandbox }) => {});
test.todo("todo");
test.each(["a", "b"])("each %s", () => {});
test.for(["a", "b"])("for %s", async (_, { sandbox }) => { expect(sandbox.id).toBeTruthy(); });
describe.skip("a skipped describe", () => {
  test("in it", async ({ sandbox }) => {});
  describe("inner", () => { test("deeper", async ({ sandbox }) => {}); });
});
describe.todo("a describe to do");
describe("retried", { retry: 2 }, () => {
  let attempt = 0;
  test("at the third attempt", async ({ sandbox }) => {
    expect(sandbox.id).toBeTruthy();
    attempt += 1;
    expect(attempt).toBe(3);
  });
});
describe.concurrent("at once", () => {
  test("one", async ({ sandbox }) => { await sandbox.exec(["sleep", "0.5"]); });
  test("two", async ({ sandbox }) => { await sandbox.exec(["sleep", "0.5"]); });
});
test("skips itself", ({ skip }) => { skip("enough"); });
test.skipIf(true)("skipped by a condition", async ({ sandbox }) => {});
test("makes more", async ({ createSandbox }) => {
  await createSandbox();
  await createSandbox({ environment: { A: "1" } });
});
test("last", async ({ sandbox }) => { expect(sandbox.id).toBeTruthy(); });
`;

const EXTENDED_ASKS = [
  "first 1/11",
  "for a 5/7",
  "for b 6/6",
  ...Array.from({ length: 3 }, () => "retried > at the third attempt 7/5"),
  "at once > one 9/3",
  "at once > two 9/3",
  "makes more 11/1",
  "makes more 11/1",
  "last 12/0",
];

const PLAIN_WITH_ONLY = `
import { describe, test } from "vitest";
test("not focused", async ({ sandbox }) => { await sandbox.exec(["true"]); });
test.only("focused", async ({ sandbox }) => { await sandbox.exec(["true"]); });
describe.only("a focused describe", () => {
  test("one", async ({ sandbox }) => { await sandbox.exec(["true"]); });
  test.skip("two", async ({ sandbox }) => { await sandbox.exec(["true"]); });
  test("three", async ({ sandbox }) => { await sandbox.exec(["true"]); });
});
test("not focused either", () => {});
`;

const WITHOUT = `
import { test } from "vitest";
test("needs no sandbox", () => {});
`;

const FILES = {
  "vitest.config.ts": configFile(OPTIONS, "{ allowOnly: true }"),
  "extended.test.ts": EXTENDED,
  "deep/plain.test.ts": PLAIN_WITH_ONLY,
  "without.test.ts": WITHOUT,
  // Where its history is kept; else that is the bed's, or the one that Vitest makes for its cache.
  "node_modules/.keep": "",
};

const DEBUG = { TIDYBOX_LOG: "debug" };

describe.each(inject("beds"))("Vitest $version", (bed) => {
  test("each ask says how many tests have begun and how many are left; the runner, which files run", async () => {
    await using project = await makeProject(bed, FILES);
    const run = await runVitest(project, { env: DEBUG });
    expect(run.exitCode, run.output).toBe(0);
    const asks = asksIn(run.output);
    expect(asks.every(({ certain }) => !certain)).toBe(true);
    expect(asks.filter(({ file }) => file === "extended.test.ts").map(({ text }) => text)).toEqual(
      EXTENDED_ASKS,
    );
    expect(
      asks.filter(({ file }) => file === "deep/plain.test.ts").map(({ text }) => text),
    ).toEqual(["focused 1/2", "a focused describe > one 2/1", "a focused describe > three 3/0"]);
    expect(asks).toHaveLength(EXTENDED_ASKS.length + 3);
    const names = ["deep/plain.test.ts", "extended.test.ts", "without.test.ts"];
    expect(expectationsIn(run.output).map((files) => files.toSorted())).toEqual([names]);

    expect(await keptAsks(project)).toEqual({ "extended.test.ts": 10, "deep/plain.test.ts": 3 });
  });

  test("with a name pattern only the chosen tests count, nothing is expected, nothing is kept", async () => {
    await using project = await makeProject(bed, FILES);
    const run = await runVitest(project, { args: ["-t", "for|at once|last"], env: DEBUG });
    expect(run.exitCode, run.output).toBe(0);
    expect(asksIn(run.output).map(({ text }) => text)).toEqual([
      "for a 1/4",
      "for b 2/3",
      "at once > one 4/1",
      "at once > two 4/1",
      "last 5/0",
    ]);
    expect(expectationsIn(run.output)).toEqual([]);
    expect(await keptAsks(project)).toBeUndefined();
  });

  test("one file chosen is the one expected, and what is known of the others stays", async () => {
    await using project = await makeProject(bed, FILES);
    await runVitest(project);
    await writeFile(
      join(project.directory, "deep/plain.test.ts"),
      PLAIN_WITH_ONLY.replace("test.skip", "test"),
    );
    const run = await runVitest(project, { args: ["plain"], env: DEBUG });
    expect(expectationsIn(run.output)).toEqual([["deep/plain.test.ts"]]);
    expect(await keptAsks(project)).toEqual({ "extended.test.ts": 10, "deep/plain.test.ts": 4 });
  });

  test.each([
    ["by default", []],
    ["as asked for", ["--reporter=dot", "--reporter=tap"]],
  ])("reporters print what they print without us, %s", async (_, reporters) => {
    await using project = await makeProject(bed, {
      "without.test.ts": WITHOUT,
      "with.config.ts": configFile(OPTIONS),
      "bare.config.ts": "export default {};",
    });
    const [bare, ours] = await Promise.all(
      ["bare", "with"].map((name) =>
        outputOf(bed, project, [`--config=${name}.config.ts`, ...reporters]),
      ),
    );
    expect(bare).toContain("without.test.ts");
    expect(ours).toBe(bare);
  });

  test("a rerun in watch mode expects its files again", async () => {
    await using project = await makeProject(bed, {
      "vitest.config.ts": configFile(OPTIONS),
      "a.test.ts": WITHOUT,
      "b.test.ts": WITHOUT,
    });
    const mark = `mark-outlook-${bed.version}-${process.pid}`;
    const run = launch(project, {
      command: [bed.node, vitestOf(bed), "--watch"],
      surroundings: "terminal",
      env: { CI: "", TIDYBOX_TEST_MARK: mark, ...DEBUG },
    });
    const waiting = (times: number) =>
      until(
        "Vitest waits for changes",
        60,
        () => run.output().split(/Waiting for file changes/).length - 1,
        (count) => count >= times,
      );
    try {
      await waiting(1);
      await writeFile(join(project.directory, "b.test.ts"), `${WITHOUT}\n// changed`);
      await waiting(2);
      run.type("q");
      await run.ended;
      expect(expectationsIn(run.output()).map((files) => files.toSorted())).toEqual([
        ["a.test.ts", "b.test.ts"],
        ["b.test.ts"],
      ]);
    } finally {
      for (const { pid } of processesWith(mark)) process.kill(pid, "SIGKILL");
    }
  });
});

function vitestOf(bed: Bed): string {
  return join(bed.directory, "node_modules/vitest/vitest.mjs");
}

/** Without what differs from run to run, and without our own lines. */
async function outputOf(bed: Bed, project: Project, args: readonly string[]): Promise<string> {
  const run = launch(project, {
    command: [bed.node, vitestOf(bed), "run", ...args],
    surroundings: "pipe",
    env: {},
  });
  await run.ended;
  return run
    .output()
    .split("\n")
    .filter((line) => !/tidybox|Start at|Duration|Isolate|faster with/.test(line))
    .map((line) => line.replaceAll(/\d+(?:\.\d+)?\s?m?s/g, "N ms").trimEnd())
    .join("\n")
    .trim();
}

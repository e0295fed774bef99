import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  type JestProject,
  jestBed,
  makeJestProject,
  wantedJests,
} from "../support/jest-project.ts";
import { type Launched, launch } from "../support/launch.ts";
import { until } from "../support/observer.ts";
import { nothingLeft } from "./nothing-left.ts";

const FILE = (round: number, more = ""): string => `
const { appendFileSync } = require("node:fs");
test("round ${round}", async ({ sandbox, run }) => {
  appendFileSync("ids.log", sandbox.id + " " + run.id + "\\n");
  await sandbox.exec(["true"], { check: true });
  ${more}
});
`;

const CTRL_C = "\u0003";

describe.each(wantedJests())("Jest %s in watch mode", (version) => {
  test("each rerun is a run of its own with its account, and q leaves nothing", async () => {
    await using project = await makeJestProject(await jestBed(version), {
      "a.test.js": FILE(1),
      "b.test.js": `test("b", async ({ sandbox }) => {});`,
    });
    const jest = watch(project);
    try {
      await waiting(jest, 1);
      await writeFile(join(project.directory, "a.test.js"), FILE(2));
      await waiting(jest, 2);
      jest.type("q");
      await jest.ended;
      const accounts = jest.output().match(/tidybox {2}run [^\n]*/g) ?? [];
      expect(accounts).toHaveLength(2);
      for (const account of accounts) expect(account).toMatch(/: 2 stopped by tests, 0 left/);
      const [first, second, ...more] = (await idsOf(project)).map((line) => line.split(" "));
      expect(more).toEqual([]);
      expect(first?.[0]).not.toBe(second?.[0]);
      expect(first?.[1]).not.toBe(second?.[1]);
      await nothingLeft(project);
    } finally {
      end(jest);
    }
  });

  test("Ctrl+C while a test holds a sandbox leaves nothing", async () => {
    await using project = await makeJestProject(await jestBed(version), {
      "a.test.js": FILE(1, 'await sandbox.exec(["sleep", "1000"]);'),
    });
    const jest = watch(project);
    try {
      await until(
        "a test's sandbox",
        60,
        () => idsOf(project),
        ({ length }) => length === 1,
      );
      jest.type(CTRL_C);
      await nothingLeft(project, { exceptHandover: process.getuid?.() === 0 });
    } finally {
      end(jest);
    }
  });
});

function watch(project: JestProject): Launched {
  return launch(project, {
    command: [
      process.execPath,
      join(project.bed.directory, "node_modules/jest/bin/jest.js"),
      ...["--watchAll", "--maxWorkers=2", "--watchPathIgnorePatterns=ids"],
    ],
    surroundings: "terminal",
    // Empty, so that a CI around us does not turn the keys off.
    env: { CI: "", TIDYBOX_WARM: "false" },
  });
}

async function idsOf({ directory }: JestProject): Promise<readonly string[]> {
  const text = await readFile(join(directory, "ids.log"), "utf8").catch(() => "");
  return text.split("\n").filter((line) => line !== "");
}

/** Until that many runs have ended and Jest waits for a change. */
async function waiting(jest: Launched, runs: number): Promise<void> {
  await until(
    `the end of run ${runs}`,
    70,
    () => jest.output(),
    (text) => text.split("tidybox  run ").length === runs + 1 && /Usage|Press/.test(text),
  );
}

function end(jest: Launched): void {
  if (!jest.isRunning()) return;
  process.kill(-jest.pid, "SIGKILL");
}

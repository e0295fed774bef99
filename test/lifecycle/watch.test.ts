import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, inject, test } from "vitest";
import { type Bed, type Project, makeProject } from "../support/bed.ts";
import { type Launched, launch } from "../support/launch.ts";
import { processesWith, serviceFolders, until } from "../support/observer.ts";

const FILE = (round: number, more = "") => `
import { appendFileSync } from "node:fs";
import { test } from "@tidybox/vitest";
test("round ${round}", async ({ sandbox }) => {
  appendFileSync("ids.txt", sandbox.id + "\\n");
  await sandbox.exec(["true"], { check: true });
  ${more}
}, 60_000);
`;

const CTRL_C = "\u0003";

describe.each(inject("beds"))("Vitest $version in watch mode", (bed) => {
  test("a rerun gets a fresh sandbox, and q leaves nothing", async () => {
    await using project = await makeProject(bed, { "a.test.ts": FILE(1) });
    const mark = `mark-watch-${bed.version}-${process.pid}`;
    const run = watch(bed, project, mark);
    try {
      const [first] = await idsOf(project, 1);
      await waiting(run, 1);
      await writeFile(join(project.directory, "a.test.ts"), FILE(2));
      const [, second] = await idsOf(project, 2);
      expect(second).not.toBe(first);
      await waiting(run, 2);
      run.type("q");
      await nothingLeft(project, mark);
      expect(run.output()).toMatch(/2 sandboxes: 2 stopped by tests, 0 left/);
    } finally {
      endAll(mark);
    }
  });

  test("Ctrl+C while a test holds a sandbox leaves nothing", async () => {
    await using project = await makeProject(bed, {
      "a.test.ts": FILE(1, 'await sandbox.exec(["sleep", "2"]);'),
    });
    const mark = `mark-watch-cancel-${bed.version}-${process.pid}`;
    const run = watch(bed, project, mark);
    try {
      await idsOf(project, 1);
      run.type(CTRL_C);
      await nothingLeft(project, mark);
    } finally {
      endAll(mark);
    }
  });
});

function watch(bed: Bed, project: Project, mark: string): Launched {
  return launch(project, {
    command: [bed.node, join(bed.directory, "node_modules/vitest/vitest.mjs"), "--watch"],
    surroundings: "terminal",
    // Empty, so that a CI around us does not turn the keys off.
    env: { CI: "", TIDYBOX_TEST_MARK: mark },
  });
}

async function idsOf({ directory }: Project, count: number): Promise<readonly string[]> {
  const { answer } = await until(
    `${count} sandboxes`,
    60,
    () => readFile(join(directory, "ids.txt"), "utf8").catch(() => ""),
    (text) => text.trim().split("\n").filter(Boolean).length >= count,
  );
  return answer.trim().split("\n");
}

/** Until that many runs have ended and Vitest waits for a change. */
async function waiting(run: Launched, times: number): Promise<void> {
  await until(
    "Vitest waits for changes",
    60,
    () => run.output().split(/Waiting for file changes/).length - 1,
    (count) => count >= times,
  );
}

async function nothingLeft(project: Project, mark: string): Promise<void> {
  await until(
    "processes and folders of the run",
    30,
    () => ({ processes: processesWith(mark), folders: serviceFolders(project) }),
    ({ processes, folders }) => processes.length + folders.length === 0,
  );
}

function endAll(mark: string): void {
  for (const { pid } of processesWith(mark)) process.kill(pid, "SIGKILL");
}

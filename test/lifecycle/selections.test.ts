import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, inject, test } from "vitest";
import { type Project, makeProject } from "../support/bed.ts";
import { processesWith, until } from "../support/observer.ts";
import { runVitest } from "../support/runner.ts";
import { startServe } from "../support/serve.ts";

const NOTE = `
import { appendFileSync } from "node:fs";
const note = (name, sandbox) => appendFileSync("ids.txt", name + " " + sandbox.id + "\\n");
`;

const AGAIN = `
import { expect, test } from "@tidybox/vitest";
import { test as plain } from "vitest";
${NOTE}
let attempt = 0;
test("retried", async ({ sandbox }) => {
  note("retried", sandbox);
  await sandbox.exec(["true"], { check: true });
  attempt += 1;
  expect(attempt).toBe(3);
});
let plainAttempt = 0;
plain("retried plainly", async ({ sandbox }) => {
  await sandbox.exec(["true"], { check: true });
  note("retried-plainly", sandbox);
  plainAttempt += 1;
  expect(plainAttempt).toBe(3);
});
// Vitest 3.2 runs an extended test once, whatever "repeats" says.
plain("repeated", { repeats: 2 }, async ({ sandbox }) => {
  await sandbox.exec(["true"], { check: true });
  note("repeated", sandbox);
});
`;

const HOOKS = `
import { afterEach, beforeAll, beforeEach, expect, test } from "@tidybox/vitest";
${NOTE}
beforeAll(() => { expect(1).toBe(1); });
beforeEach(async ({ sandbox }) => { expect(await sandbox.exec(["true"])).toSucceed(); });
afterEach(async ({ sandbox, task }) => {
  expect(await sandbox.exec(task.name === "its hook fails" ? ["false"] : ["true"])).toSucceed();
});
test("its hooks pass", async ({ sandbox }) => { note("passes", sandbox); });
test("its hook fails", async ({ sandbox }) => { note("fails", sandbox); });
`;

const SHARED = (name: string) => `
import { test } from "@tidybox/vitest";
${NOTE}
test("${name}", async ({ sandbox, run }) => {
  note(run.id, sandbox);
  await sandbox.exec(["sleep", "1"]);
});
`;

const FAILS_WHILE_OTHERS_WORK = `
import { existsSync } from "node:fs";
import { test } from "@tidybox/vitest";
${NOTE}
test("fails", async ({ sandbox }) => {
  note("fails", sandbox);
  while (!existsSync("busy.txt")) await new Promise((resolve) => setTimeout(resolve, 20));
  throw new Error("enough");
}, 60_000);
`;

const BUSY = `
import { writeFileSync } from "node:fs";
import { test } from "@tidybox/vitest";
${NOTE}
test("busy", async ({ sandbox, createSandbox }) => {
  await createSandbox();
  note("busy", sandbox);
  writeFileSync("busy.txt", "");
  await sandbox.exec(["sleep", "2"]);
}, 60_000);
`;

describe.each(inject("beds"))("Vitest $version", (bed) => {
  test("--retry: each attempt has a sandbox of its own", async () => {
    await using project = await makeProject(bed, { "again.test.ts": AGAIN });
    const run = await runVitest(project, { args: ["--retry=2", "-t", "retried"] });
    expect(run.exitCode, run.output).toBe(0);
    expect(new Set(await notedIds(project)).size).toBe(6);
    expect(run.account).toMatch(/6 sandboxes: 6 stopped by tests, 0 left/);
  });

  test("-t and repeats: only the chosen test costs sandboxes, one for each time", async () => {
    await using project = await makeProject(bed, { "again.test.ts": AGAIN });
    const run = await runVitest(project, { args: ["-t", "^repeated$"] });
    expect(run.exitCode, run.output).toBe(0);
    expect(new Set(await notedIds(project)).size).toBe(3);
    expect(run.account).toMatch(/3 sandboxes: 3 stopped by tests, 0 left/);
  });

  test("hooks use the test's own sandbox and expect; one that fails loses nothing", async () => {
    await using project = await makeProject(bed, { "hooks.test.ts": HOOKS });
    const run = await runVitest(project);
    expect(run.tests.map(({ status }) => status)).toEqual(["passed", "failed"]);
    expect(run.account).toMatch(/2 sandboxes: 2 stopped by tests, 0 left/);
  });

  test("--bail while another worker is busy leaves nothing", async () => {
    await using project = await makeProject(bed, {
      "fails.test.ts": FAILS_WHILE_OTHERS_WORK,
      "busy.test.ts": BUSY,
    });
    const mark = `mark-bail-${bed.version}-${process.pid}`;
    const run = await runVitest(project, {
      args: ["--bail=1", "--pool=forks", "--maxWorkers=2"],
      env: { TIDYBOX_TEST_MARK: mark },
    });
    expect(run.exitCode, run.output).toBe(1);
    expect(run.account).toMatch(/3 sandboxes: .*0 left/);
    await until(
      "processes of the run",
      10,
      () => processesWith(mark),
      (left) => left.length === 0,
    );
  });

  test("shards at the same time on one service: an id and an account each", async () => {
    await using service = await startServe(bed);
    await using project = await makeProject(bed, {
      "one.test.ts": SHARED("one"),
      "two.test.ts": SHARED("two"),
    });
    const shards = await Promise.all(
      ["1/2", "2/2"].map((shard) =>
        runVitest(project, { args: [`--shard=${shard}`], env: service.env }),
      ),
    );
    for (const run of shards) {
      expect(run.exitCode, run.output).toBe(0);
      expect(run.account).toMatch(/1 sandbox: 1 stopped by tests, 0 left/);
    }
    const notes = await readFile(join(project.directory, "ids.txt"), "utf8");
    const runs = notes
      .trim()
      .split("\n")
      .map((line) => line.split(" ")[0]);
    expect(new Set(runs).size).toBe(2);
    expect(await service.list()).toEqual([]);
  });
});

async function notedIds({ directory }: Project): Promise<readonly string[]> {
  const text = await readFile(join(directory, "ids.txt"), "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "");
}

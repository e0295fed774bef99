import { readFile } from "node:fs/promises";
import { expect, inject, test } from "vitest";
import { configFile, makeProject } from "../support/bed.ts";
import { listFromOutside, processesWith, tidybox, until } from "../support/observer.ts";
import { runVitest } from "../support/runner.ts";

const bed = inject("beds").at(-1);
if (bed === undefined) throw new Error("no bed");

test("keep: on-failure leaves the failed test's sandbox, says how to reach it, and reap ends it all", async () => {
  await using project = await makeProject(bed, {
    "a.test.ts": `
      import { expect, test } from "@tidybox/vitest";
      test("fails", async ({ sandbox }) => { await sandbox.writeFile("/workspace/a", "b"); expect(1).toBe(2); });
      test("passes", async ({ sandbox }) => { await sandbox.exec(["true"]); });
    `,
    "vitest.config.ts": configFile('{ keep: "on-failure" }'),
  });
  const mark = `mark-keep-${process.pid}`;
  const run = await runVitest(project, { env: { TIDYBOX_TEST_MARK: mark } });
  try {
    expect(run.account).toMatch(/2 sandboxes: 1 stopped by tests, 1 kept, 0 left/);
    const [, id, runId] = /kept (\S+) of "fails"[^]*reap --run (\w+)/.exec(run.output) ?? [];
    const env = { TMPDIR: project.temp };
    expect(
      (await listFromOutside(bed, ["--run", runId ?? ""], env)).map((each) => each.id),
    ).toEqual([id]);
    await tidybox(bed, ["reap", "--run", runId ?? ""], env);
    await until(
      "the run",
      10,
      () => processesWith(mark),
      (left) => left.length === 0,
    );
  } finally {
    for (const { pid } of processesWith(mark)) process.kill(pid, "SIGKILL");
  }
});

test("report: the account as JSON, without the run's secret", async () => {
  await using project = await makeProject(bed, {
    "a.test.ts": `
      import { test } from "@tidybox/vitest";
      test("one", async ({ sandbox, session }) => { await sandbox.exec(["true"]); await session.sandbox(); });
    `,
    "vitest.config.ts": configFile('{ report: "account.json", tags: ["mine"] }'),
  });
  const run = await runVitest(project);
  expect(run.account).toMatch(/2 sandboxes: 1 stopped by tests, 1 by sessions, 0 left/);
  const text = await readFile(`${project.directory}/account.json`, "utf8");
  expect(JSON.parse(text)).toMatchObject({
    backend: "local",
    ending: "finished",
    tags: expect.arrayContaining(["tidybox", "mine"]) as unknown,
    account: { created: 2, stoppedByTests: 1, stoppedBySessions: 1, left: [] },
  });
  expect(text).not.toMatch(/token|apiKey|127\.0\.0\.1/);
});

test("maxSandboxes holds over all workers, and a test that waits too long is told who holds the slots", async () => {
  await using project = await makeProject(bed, {
    "a.test.ts": `
      import { describe, expect, test } from "@tidybox/vitest";
      describe.concurrent("many", () => {
        for (let i = 0; i < 6; i += 1) {
          test("number " + i, async ({ sandbox, expect }) => { expect(await sandbox.exec(["sleep", "0.2"])).toSucceed(); });
        }
      });
      test("wants more than there are", async ({ sandbox, createSandbox }) => {
        await createSandbox();
        await expect(createSandbox()).rejects.toThrow(/all 2 slots .maxSandboxes. are held by tests and sessions that wait for one more.*wants more than there are/);
      });
    `,
    "vitest.config.ts": configFile(
      "{ maxSandboxes: 2, startTimeoutSeconds: 2 }",
      "{ testTimeout: 30000 }",
    ),
  });
  const run = await runVitest(project);
  expect(run.exitCode, run.output).toBe(0);
  expect(run.account).toMatch(/8 sandboxes: 8 stopped by tests, 0 left .* peak 2 of 2/);
});

test("diagnostics: never leaves the error as it is", async () => {
  await using project = await makeProject(bed, {
    "a.test.ts": `
      import { expect, test } from "@tidybox/vitest";
      test("fails", async ({ sandbox }) => { await sandbox.exec(["true"]); expect(1).toBe(2); });
    `,
    "vitest.config.ts": configFile('{ diagnostics: "never" }'),
  });
  const run = await runVitest(project);
  expect(run.output).not.toMatch(/sandbox sb-/);
});

test("a test that stops in a beforeEach, or skips before it asks, makes no sandbox", async () => {
  await using project = await makeProject(bed, {
    "a.test.ts": `
      import { beforeEach, describe, test } from "@tidybox/vitest";
      describe("stopped before", () => {
        beforeEach(() => { throw new Error("no"); });
        test("never", async ({ sandbox }) => { await sandbox.exec(["true"]); });
      });
      test.skip("skipped", async ({ sandbox }) => { await sandbox.exec(["true"]); });
      test.todo("later");
    `,
  });
  const run = await runVitest(project);
  expect(run.account).toMatch(/ 0 sandboxes: 0 left/);
});

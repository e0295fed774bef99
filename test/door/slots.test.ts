import { readFile } from "node:fs/promises";
import { expect, inject, test } from "vitest";
import { configFile, makeProject } from "../support/bed.ts";
import { runVitest, startVitest } from "../support/runner.ts";
import { startServe } from "../support/serve.ts";

const bed = inject("beds").at(-1);
if (bed === undefined) throw new Error("no bed");

const WORKERS = 8;
const TESTS_PER_FILE = 3;

/** As many files as workers, so that all of them ask at once. */
function busyFiles(body: string): Record<string, string> {
  const file = `
    import { expect, test } from "@tidybox/vitest";
    for (let index = 0; index < ${TESTS_PER_FILE}; index += 1)
      test("number " + index, async ({ sandbox }) => { ${body} }, 60_000);
  `;
  return Object.fromEntries(
    Array.from({ length: WORKERS }, (_, index) => [`busy-${index}.test.ts`, file]),
  );
}

const args = ["--pool=forks", `--maxWorkers=${WORKERS}`];

test("a quota of 3 and 8 workers: all wait their turn, none fails, and no more are tried than needed", async () => {
  await using service = await startServe(bed, ["--max-sandboxes", "3"]);
  await using project = await makeProject(bed, {
    ...busyFiles('expect(await sandbox.exec(["sleep", "0.3"])).toSucceed();'),
    "vitest.config.ts": configFile('{ maxSandboxes: 8, report: "account.json" }'),
  });
  const run = await runVitest(project, { args, env: service.env });
  expect(run.exitCode, run.output).toBe(0);
  const made = WORKERS * TESTS_PER_FILE;
  // One that was made ahead may have come too late for the test that it was meant for.
  expect(run.account).toMatch(
    new RegExp(`sandboxes: ${made} stopped by tests(, \\d warm and unused)?, 0 left`),
  );
  const report = JSON.parse(await readFile(`${project.directory}/account.json`, "utf8"));
  expect(report.account.waitedForSlotsSeconds).toBeGreaterThan(1);
  // What was refused never was a sandbox: the service's own count is the account's.
  expect(await service.list(["--all"])).toHaveLength(report.account.created);
});

test("a rate of 4 creates a second and 8 workers: creation slows down, none fails", async () => {
  await using service = await startServe(bed, ["--create-rate", "4/s"]);
  await using project = await makeProject(bed, {
    ...busyFiles('expect(await sandbox.exec(["true"])).toSucceed();'),
    "vitest.config.ts": configFile("{ maxSandboxes: 8 }"),
  });
  const startedAt = performance.now();
  const run = await runVitest(project, { args, env: service.env });
  expect(run.exitCode, run.output).toBe(0);
  const made = WORKERS * TESTS_PER_FILE;
  expect(run.account).toContain(`${made} sandboxes: ${made} stopped by tests, 0 left`);
  // Really held back: so many cannot be made any faster.
  expect((performance.now() - startedAt) / 1000).toBeGreaterThan(made / 4 - 2);
});

const WANTS_TWO = (name: string) => `
  import { appendFileSync, existsSync, writeFileSync } from "node:fs";
  import { test } from "@tidybox/vitest";
  test("${name}", async ({ sandbox, createSandbox }) => {
    writeFileSync("${name}.txt", "");
    while (!existsSync("one.txt") || !existsSync("two.txt"))
      await new Promise((resolve) => setTimeout(resolve, 20));
    const other = await createSandbox();
    await other.exec(["true"], { check: true });
  }, 60_000);
`;

test("two tests that hold one each and want another: one gives up and names both, the other goes on", async () => {
  await using project = await makeProject(bed, {
    "one.test.ts": WANTS_TWO("one"),
    "two.test.ts": WANTS_TWO("two"),
    "vitest.config.ts": configFile("{ maxSandboxes: 2, startTimeoutSeconds: 50 }"),
  });
  const startedAt = performance.now();
  const run = await runVitest(project, { args: ["--pool=forks", "--maxWorkers=2"] });
  expect(run.tests.map(({ status }) => status).toSorted(), run.output).toEqual([
    "failed",
    "passed",
  ]);
  const message = run.tests.find(({ status }) => status === "failed")?.messages.join("\n");
  expect(message).toMatch(/all 2 slots \(maxSandboxes\) are held by tests and sessions that wait/);
  for (const name of ["one", "two"]) expect(message).toContain(`${name} (active, for `);
  expect(message).toContain("Raise maxSandboxes");
  // Not the start timeout has ended it.
  expect((performance.now() - startedAt) / 1000).toBeLessThan(45);
  expect(run.account).toMatch(/3 sandboxes: 3 stopped by tests, 0 left .* peak 2 of 2/);
});

test("a test that stops its sandbox may have another one in its place", async () => {
  await using project = await makeProject(bed, {
    "a.test.ts": `
      import { test } from "@tidybox/vitest";
      test("one after the other", async ({ sandbox, createSandbox }) => {
        await sandbox.stop({ gracefulShutdownSeconds: 0 });
        const next = await createSandbox();
        await next.exec(["true"], { check: true });
      }, 20_000);
    `,
    "vitest.config.ts": configFile("{ maxSandboxes: 1 }"),
  });
  const run = await runVitest(project);
  expect(run.exitCode, run.output).toBe(0);
  expect(run.account).toMatch(/2 sandboxes: 2 stopped by tests, 0 left .* peak 1 of 1/);
});

test("a worker that dies while it waits for a slot gives up its place", async () => {
  await using project = await makeProject(bed, {
    "holds.test.ts": `
      import { existsSync, readFileSync, writeFileSync } from "node:fs";
      import { test } from "@tidybox/vitest";
      const pause = () => new Promise((resolve) => setTimeout(resolve, 50));
      const isThere = (pid) => { try { return process.kill(pid, 0); } catch { return false; } };
      test("holds", async ({ sandbox }) => {
        writeFileSync("held.txt", "");
        const dying = () => existsSync("dies") && readFileSync("dies", "utf8");
        while (!dying()) await pause();
        const pid = Number(dying());
        while (isThere(pid)) await pause();
        // A slot that comes free in the very moment of a death may still be given to the dead.
        for (let index = 0; index < 10; index += 1) await pause();
      }, 60_000);
    `,
    "dies.test.ts": `
      import { existsSync, writeFileSync } from "node:fs";
      import { test } from "@tidybox/vitest";
      test("waits and dies", async ({ createSandbox }) => {
        while (!existsSync("held.txt")) await new Promise((resolve) => setTimeout(resolve, 50));
        setTimeout(() => { writeFileSync("dies", String(process.pid)); process.kill(process.pid, "SIGKILL"); }, 1000);
        await createSandbox();
      }, 60_000);
    `,
    "waits.test.ts": `
      import { test } from "@tidybox/vitest";
      test("waits and lives", async ({ sandbox }) => { await sandbox.exec(["true"], { check: true }); }, 60_000);
    `,
    "vitest.config.ts": configFile("{ maxSandboxes: 1 }"),
  });
  const vitest = startVitest(project, { args: ["--pool=forks", "--maxWorkers=3"] });
  const run = await vitest.ended;
  expect(
    run.tests
      .filter(({ status }) => status === "passed")
      .map(({ name }) => name)
      .toSorted(),
    run.output,
  ).toEqual(["holds", "waits and lives"]);
  expect(run.account).toMatch(/2 sandboxes: 2 stopped by tests, 0 left/);
});

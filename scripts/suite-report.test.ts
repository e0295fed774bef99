import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runCommand, workspaceBinary } from "./command.ts";
import type { SuiteReport } from "./suite-report.ts";
import { readReport, vitestReporting } from "./suite-report.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "suite-report-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** The report of a real Vitest run over one test file with this text. */
async function reportOf(text: string): Promise<SuiteReport> {
  await writeFile(join(folder, "some.test.js"), text);
  const report = join(folder, "report.json");
  const ended = await runCommand(
    workspaceBinary("vitest"),
    ["run", `--root=${folder}`, "--globals", ...vitestReporting(report)],
    { timeoutSeconds: 30 },
  );
  return readReport(report, ended);
}

test("counts what passed and failed, and names what was skipped and why", async () => {
  const report = await reportOf(`
    test("good", () => {});
    test("bad", () => { throw new Error("no"); });
    test("not here", (context) => context.skip("needs a moon"));
    describe("later", () => { test.todo("unwritten"); });
  `);
  expect(report).toEqual({
    passed: 1,
    failed: 1,
    skipped: [
      { name: expect.stringMatching(/some\.test\.js > not here$/), reason: "needs a moon" },
      { name: expect.stringMatching(/some\.test\.js > later unwritten$/) },
    ],
    failures: [expect.stringMatching(/some\.test\.js > bad: Error: no$/)],
  });
});

test("a file that does not load is a failure", async () => {
  expect(await reportOf(`throw new Error("no");`)).toMatchObject({
    passed: 0,
    failed: 1,
    problem: expect.stringContaining("some.test.js"),
  });
});

test("an error outside of any test is a failure", async () => {
  const text = `test("good", () => { setTimeout(() => { throw new Error("late"); }); });
    afterAll(() => new Promise((resolve) => setTimeout(resolve, 50)));`;
  expect(await reportOf(text)).toMatchObject({
    passed: 1,
    failed: 1,
    problem: expect.stringContaining("exit status 1"),
  });
});

test("a suite that dies before it reports is a failure", async () => {
  const report = await readReport(join(folder, "none.json"), {
    ok: false,
    problem: "ended by SIGKILL",
  });
  expect(report).toEqual({
    passed: 0,
    failed: 1,
    skipped: [],
    failures: [],
    problem: "no report was written: ended by SIGKILL",
  });
});

import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { jestBed, jestConfig, makeJestProject, wantedJests } from "../support/jest-project.ts";
import { listFromOutside, tidybox } from "../support/observer.ts";
import { runJest } from "../support/jest-runner.ts";
import { nothingLeft } from "./nothing-left.ts";

const ENDINGS = `
const { appendFileSync } = require("node:fs");
const note = (name, id) => appendFileSync("ids.txt", name + " " + id + "\\n");

test("fails", async ({ sandbox }) => {
  note("fails", sandbox.id);
  await sandbox.exec(["sh", "-c", "echo some output; echo some trouble >&2; exit 4"]);
  expect("my own assertion").toBe("another");
});
test("throws", async ({ sandbox }) => {
  note("throws", sandbox.id);
  throw new Error("my own error");
});
test("throws a string", async ({ sandbox }) => {
  note("string", sandbox.id);
  throw "my own string";
});
test("times out", async ({ sandbox }) => {
  note("times-out", sandbox.id);
  await sandbox.exec(["sleep", "1000"]);
}, 8000);
describe("with a beforeEach that asks and fails", () => {
  beforeEach(({ sandbox }) => { note("before", sandbox.id); throw new Error("my own beforeEach"); });
  test("has no body", ({ sandbox }) => { note("BODY", sandbox.id); });
  test("asks for nothing by itself", () => { note("BODY", "none"); });
});
describe("with an afterEach that throws", () => {
  afterEach(({ sandbox }) => { note("after", sandbox.id); throw new Error("my own afterEach"); });
  test("loses nothing", ({ sandbox }) => { note("after", sandbox.id); });
});
describe("with a hook that uses done", () => {
  let called = 0;
  beforeEach((done) => { called += 1; done(); });
  test("leaves it alone", (done) => { expect(called).toBe(1); done(); });
});
test("stops it by itself", async ({ sandbox }) => {
  note("stopped", sandbox.id);
  await sandbox.stop({ gracefulShutdownSeconds: 0 });
});
`;

/** Apart: it holds for the whole file. */
const RETRIED = `
const { appendFileSync } = require("node:fs");
jest.retryTimes(2);
let attempt = 0;
test("passes at the third attempt", async ({ sandbox }) => {
  appendFileSync("ids.txt", "retried " + sandbox.id + "\\n");
  attempt += 1;
  expect(attempt).toBe(3);
});
`;

const LATE = `
const { appendFileSync } = require("node:fs");
const note = (error) => appendFileSync("late.txt", error.code + " " + error.message.replaceAll("\\n", " ") + "\\n");
let late;
test("keeps it", async ({ sandbox, createSandbox }) => { late = { sandbox, createSandbox }; });
test("keeps only the maker", async ({ createSandbox }) => { late.unused = createSandbox; });
test("uses it afterwards", async () => {
  await late.sandbox.exec(["true"]).catch(note);
  await late.createSandbox().catch(note);
  await late.unused().catch(note);
});
`;

/** Holds the only slot, and waits for nothing that the other file could not give. */
const HOLDER = `
const { existsSync, writeFileSync } = require("node:fs");
test("holds the only slot", async ({ sandbox }) => {
  writeFileSync("held.txt", "");
  while (!existsSync("enough.txt")) await new Promise((resolve) => setTimeout(resolve, 50));
});
`;
const WAITS = `
const { appendFileSync, existsSync, writeFileSync } = require("node:fs");
beforeAll(async () => {
  while (!existsSync("held.txt")) await new Promise((resolve) => setTimeout(resolve, 50));
});
test("waits for the slot", async ({ sandbox }) => { appendFileSync("body.txt", "ran"); }, 4000);
test("gives up", () => writeFileSync("enough.txt", ""));
test("has one then", async ({ sandbox }) => { await sandbox.exec(["true"], { check: true }); });
`;

describe.each(wantedJests())("Jest %s", (version) => {
  test("however a test ends, its sandbox is stopped and its own error is the one shown", async () => {
    await using project = await makeJestProject(await jestBed(version), {
      "endings.test.js": ENDINGS,
      "late.test.js": LATE,
      "retried.test.js": RETRIED,
    });
    const run = await runJest(project, { args: ["--maxWorkers=2"] });
    const shown = (name: string): string => {
      const found = run.tests.find((each) => each.name.endsWith(name));
      return `${found?.status} ${found?.messages.join("\n")}`;
    };
    expect(shown("fails"), run.output).toMatch(/failed [^]*my own assertion/);
    expect(shown("fails")).toMatch(/sandbox \S+ \(local\/\w+\)/);
    expect(shown("fails")).toContain("exit 4");
    expect(shown("fails")).toContain("stdout: some output");
    expect(shown("fails")).toContain("stderr: some trouble");
    expect(shown("throws")).toMatch(/failed [^]*my own error/);
    expect(shown("throws a string")).toMatch(/failed [^]*my own string/);
    expect(shown("times out")).toMatch(/failed [^]*Exceeded timeout of 8000 ms/);
    expect(shown("has no body")).toMatch(/failed [^]*my own beforeEach/);
    expect(shown("asks for nothing by itself")).toMatch(/failed [^]*my own beforeEach/);
    expect(shown("loses nothing")).toMatch(/failed [^]*my own afterEach/);
    expect(shown("leaves it alone")).toMatch(/^passed/);
    expect(shown("stops it by itself")).toMatch(/^passed/);
    expect(shown("passes at the third attempt")).toMatch(/^passed/);
    expect(shown("uses it afterwards")).toMatch(/^passed/);
    expect(run.output).toMatch(/endings\.test\.js:8:/);
    expect(run.exitCode).toBe(1);

    const lines = (await readFile(`${project.directory}/ids.txt`, "utf8")).trim().split("\n");
    expect(lines.filter((line) => line.startsWith("BODY"))).toEqual([]);
    expect(new Set(lines).size).toBe(11);
    const late = (await readFile(`${project.directory}/late.txt`, "utf8")).trim().split("\n");
    expect(late).toHaveLength(3);
    expect(late[0]).toContain('the test "keeps it" has ended');
    expect(late[1]).toMatch(/^\w+ .*"keeps it"/);
    expect(late[2]).toMatch(/^\w+ .*"keeps only the maker"/);
    expect(run.accounts[0]).toMatch(/ 12 sandboxes: 12 stopped by tests, 0 left/);
    await nothingLeft(project);
  });

  test("a body does not run when its set-up has lost against the timeout", async () => {
    await using project = await makeJestProject(await jestBed(version), {
      "holder.test.js": HOLDER,
      "waits.test.js": WAITS,
      "jest.config.cjs": jestConfig({
        maxWorkers: 2,
        testEnvironmentOptions: { tidybox: { maxSandboxes: 1, warm: false } },
      }),
    });
    const run = await runJest(project);
    const outcomes = run.tests.map(({ name, status }) => `${name}: ${status}`);
    expect(outcomes.toSorted(), run.output).toEqual([
      "gives up: passed",
      "has one then: passed",
      "holds the only slot: passed",
      "waits for the slot: failed",
    ]);
    expect(run.output).toMatch(/it had been waiting .*maxSandboxes/);
    await expect(readFile(`${project.directory}/body.txt`)).rejects.toThrow("ENOENT");
    expect(run.accounts[0]).toMatch(/ 2 sandboxes: 2 stopped by tests, 0 left/);
    await nothingLeft(project);
  });

  test("the body of a test whose own sandbox came too late does not run", async () => {
    await using project = await makeJestProject(await jestBed(version), {
      "late-start.test.js": `
        const { appendFileSync } = require("node:fs");
        test("has no time at all", async ({ sandbox }) => {
          appendFileSync("body.txt", "ran");
        }, 1);
        test("has time", async ({ sandbox }) => { await sandbox.exec(["true"], { check: true }); });
      `,
      "jest.config.cjs": jestConfig({ testEnvironmentOptions: { tidybox: { warm: false } } }),
    });
    const run = await runJest(project);
    expect(
      run.tests.map(({ status }) => status),
      run.output,
    ).toEqual(["failed", "passed"]);
    await expect(readFile(`${project.directory}/body.txt`)).rejects.toThrow("ENOENT");
    expect(run.accounts[0]).toMatch(/ 0 left/);
    await nothingLeft(project);
  });

  test('diagnostics "always" and "never", and keep "on-failure"', async () => {
    const suite = `
      test("passes", async ({ sandbox }) => { await sandbox.exec(["echo", "seen"]); });
      test("fails", async ({ sandbox }) => {
        await sandbox.exec(["echo", "unseen"]);
        throw new Error("mine");
      });
    `;
    const runWith = async (options: object) => {
      await using project = await makeJestProject(await jestBed(version), {
        "diagnostics.test.js": suite,
        "jest.config.cjs": jestConfig({ testEnvironmentOptions: { tidybox: options } }),
      });
      const run = await runJest(project);
      expect(run.exitCode).toBe(1);
      await nothingLeft(project);
      return run;
    };
    const always = await runWith({ diagnostics: "always" });
    expect(always.output).toMatch(/stdout: seen/);
    expect(always.output).toMatch(/stdout: unseen/);
    const never = await runWith({ diagnostics: "never" });
    expect(never.output).not.toMatch(/stdout: (un)?seen/);
    expect(never.output).toContain("mine");
  });

  test('keep: "on-failure" leaves the failed test\'s sandbox, until it is reaped', async () => {
    const bed = await jestBed(version);
    await using project = await makeJestProject(bed, {
      "keep.test.js": `
        test("passes", async ({ sandbox }) => { await sandbox.exec(["true"]); });
        test("fails", async ({ sandbox }) => { throw new Error("mine"); });
      `,
      "jest.config.cjs": jestConfig({
        testEnvironmentOptions: { tidybox: { keep: "on-failure" } },
      }),
    });
    const run = await runJest(project);
    const [, id, runId] = /kept (\S+) of "fails"[^]*reap --run (\w+)/.exec(run.output) ?? [];
    const env = { TMPDIR: project.temp };
    try {
      expect(run.accounts[0], run.output).toMatch(
        / 2 sandboxes: 1 stopped by tests, 1 kept, 0 left/,
      );
      expect(run.output).toMatch(/sandbox \S+ \(local\/\w+, kept\)/);
      const listed = await listFromOutside(bed, ["--run", runId ?? ""], env);
      expect(listed.map((each) => each.id)).toEqual([id]);
    } finally {
      await tidybox(bed, ["reap", "--run", runId ?? ""], env);
    }
    await nothingLeft(project);
  });
});

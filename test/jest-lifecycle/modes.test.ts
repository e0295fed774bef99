import { describe, expect, test } from "vitest";
import { jestBed, makeJestProject, wantedJests } from "../support/jest-project.ts";
import { runJest } from "../support/jest-runner.ts";
import { nothingLeft } from "./nothing-left.ts";

const USES_ONE = `
test("uses one", async ({ sandbox }) => { await sandbox.exec(["true"], { check: true }); });
`;

const FAILS = `
test("fails", async ({ sandbox }) => {
  await sandbox.exec(["true"], { check: true });
  throw new Error("mine");
});
`;

/** Goes on while another file has ended the run. */
const LONG = `
test("is cut off", async ({ sandbox, createSandbox }) => {
  for (let i = 0; i < 40; i += 1) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    const other = await createSandbox();
    await other.stop({ gracefulShutdownSeconds: 0 });
  }
});
`;

describe.each(wantedJests())("Jest %s", (version) => {
  test("--bail while another worker goes on making sandboxes: none is left", async () => {
    await using project = await makeJestProject(await jestBed(version), {
      "a.test.js": FAILS,
      "b.test.js": LONG,
      "c.test.js": LONG,
    });
    const run = await runJest(project, { args: ["--bail", "--maxWorkers=2"] });
    expect(run.exitCode, run.output).toBe(1);
    // 29.7 leaves without its global teardown, 30 sometimes in the middle of it: then the coordinator
    // does it alone, and nobody prints.
    for (const account of run.accounts) expect(account).toMatch(/ 0 left/);
    await nothingLeft(project);
  });

  test("--forceExit, in workers and in band", async () => {
    await using project = await makeJestProject(await jestBed(version), {
      "a.test.js": USES_ONE,
      "b.test.js": USES_ONE,
    });
    for (const way of ["--maxWorkers=2", "--runInBand"]) {
      const run = await runJest(project, { args: ["--forceExit", way] });
      expect(run.exitCode, run.output).toBe(0);
      expect(run.accounts[0]).toMatch(
        / 2 sandboxes: 2 stopped by tests, 0 left|2 stopped by tests, .* 0 left/,
      );
      await nothingLeft(project);
    }
  });

  test("stdout of --json is one document, and the next run in band has nothing open", async () => {
    await using project = await makeJestProject(await jestBed(version), {
      "a.test.js": USES_ONE,
      "b.test.js": USES_ONE,
    });
    const json = await runJest(project, { report: false, args: ["--json", "--maxWorkers=2"] });
    expect(json.exitCode, json.output).toBe(0);
    expect(JSON.parse(json.stdout)).toMatchObject({ numPassedTests: 2, success: true });
    expect(json.accounts).toHaveLength(1);
    // Only on stderr.
    expect(json.stdout).not.toContain("tidybox  run ");
    const open = await runJest(project, { args: ["--detectOpenHandles"] });
    expect(open.exitCode, open.output).toBe(0);
    expect(open.output).not.toMatch(/open handle|did not exit/i);
    expect(open.accounts[0]).toMatch(/ 0 left/);
    await nothingLeft(project);
  });

  test("each shard is a run of its own", async () => {
    await using project = await makeJestProject(await jestBed(version), {
      "a.test.js": USES_ONE,
      "b.test.js": USES_ONE,
    });
    const [one, two] = await Promise.all([
      runJest(project, { args: ["--shard=1/2"] }),
      runJest(project, { args: ["--shard=2/2"] }),
    ]);
    const ids = [one, two].map((run) => {
      expect(run?.exitCode, run?.output).toBe(0);
      expect(run?.tests).toHaveLength(1);
      return /tidybox {2}run (\S+) /.exec(run?.accounts[0] ?? "")?.[1];
    });
    expect(new Set(ids).size).toBe(2);
    await nothingLeft(project);
  });

  test("projects keep their own options under one run and one account", async () => {
    const suite = (name: string): string => `
      test("has the options of ${name}", async ({ sandbox, run }) => {
        expect(await sandbox.exec(["sh", "-c", "echo $PROJECT"])).toPrint("${name}");
        expect(run.tags).toContain("tag-${name}");
        require("node:fs").appendFileSync("runs.txt", run.id + "\\n");
      });
    `;
    const options = (name: string): object => ({
      displayName: name,
      preset: "@tidybox/jest",
      transform: {},
      testMatch: [`**/${name}.test.js`],
      testEnvironmentOptions: {
        tidybox: { tags: [`tag-${name}`], sandbox: { environment: { PROJECT: name } } },
      },
    });
    await using project = await makeJestProject(await jestBed(version), {
      "one.test.js": suite("one"),
      "two.test.js": suite("two"),
      "none.test.js": `test("takes done", (done) => { expect(typeof done).toBe("function"); done(); });`,
      "jest.config.cjs": `module.exports = ${JSON.stringify({
        testTimeout: 60_000,
        projects: [
          options("one"),
          options("two"),
          { displayName: "none", transform: {}, testMatch: ["**/none.test.js"] },
        ],
      })};`,
    });
    const run = await runJest(project, { args: ["--maxWorkers=2"] });
    expect(run.exitCode, run.output).toBe(0);
    expect(run.tests).toHaveLength(3);
    expect(run.accounts).toHaveLength(1);
    expect(run.accounts[0]).toMatch(/ 2 stopped by tests, .*0 left/);
    await nothingLeft(project);
  });
});

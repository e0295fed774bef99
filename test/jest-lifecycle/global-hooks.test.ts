import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { jestBed, jestConfig, makeJestProject, wantedJests } from "../support/jest-project.ts";
import { runJest } from "../support/jest-runner.ts";
import { nothingLeft } from "./nothing-left.ts";

const LEAVES_TO_THE_SESSION = `
test("uses one", async ({ sandbox, session }) => {
  await session.sandbox();
  await sandbox.exec(["true"], { check: true });
});
`;

const wrapped = (hook: string, body: string): string => `
module.exports = require("@tidybox/jest/${hook}").withSandboxes(async () => {
  require("node:fs").appendFileSync(__dirname + "/hooks.txt", "${hook}\\n");
  ${body}
});
`;

describe.each(wantedJests())("Jest %s", (version) => {
  test("own global hooks with withSandboxes", async () => {
    await using project = await makeJestProject(await jestBed(version), {
      "a.test.js": LEAVES_TO_THE_SESSION,
      "setup.cjs": wrapped("global-setup", ""),
      "teardown.cjs": wrapped("global-teardown", ""),
      "jest.config.cjs": jestConfig({
        globalSetup: "./setup.cjs",
        globalTeardown: "./teardown.cjs",
        testEnvironmentOptions: { tidybox: { warm: false } },
      }),
    });
    const run = await runJest(project);
    expect(run.exitCode, run.output).toBe(0);
    expect(await readFile(`${project.directory}/hooks.txt`, "utf8")).toBe(
      "global-setup\nglobal-teardown\n",
    );
    expect(run.accounts).toHaveLength(1);
    expect(run.accounts[0]).toMatch(/ 2 sandboxes: 1 stopped by tests, 1 by sessions, 0 left/);
    await nothingLeft(project);
  });

  test("a global teardown of one's own that throws: ours still reaps, theirs is shown", async () => {
    await using project = await makeJestProject(await jestBed(version), {
      "a.test.js": LEAVES_TO_THE_SESSION,
      "teardown.cjs": wrapped("global-teardown", 'throw new Error("my own teardown");'),
      "jest.config.cjs": jestConfig({ globalTeardown: "./teardown.cjs" }),
    });
    const run = await runJest(project);
    expect(run.exitCode).toBe(1);
    expect(run.output).toContain("my own teardown");
    expect(run.accounts[0], run.output).toMatch(/ 0 left/);
    await nothingLeft(project);
  });

  test("a global setup of one's own that throws: theirs is shown, and nothing stays", async () => {
    await using project = await makeJestProject(await jestBed(version), {
      "a.test.js": LEAVES_TO_THE_SESSION,
      "setup.cjs": wrapped("global-setup", 'throw new Error("my own setup");'),
      "jest.config.cjs": jestConfig({ globalSetup: "./setup.cjs" }),
    });
    const run = await runJest(project);
    expect(run.exitCode).toBe(1);
    expect(run.output).toContain("my own setup");
    await nothingLeft(project);
  });

  test("the preset at the root and in projects, with hooks of one's own on top, is one run", async () => {
    const projectOf = (name: string, extra: object): object => ({
      displayName: name,
      preset: "@tidybox/jest",
      transform: {},
      testMatch: [`**/${name}.test.js`],
      ...extra,
    });
    await using project = await makeJestProject(await jestBed(version), {
      "one.test.js": LEAVES_TO_THE_SESSION,
      "two.test.js": LEAVES_TO_THE_SESSION,
      "setup.cjs": wrapped("global-setup", ""),
      "teardown.cjs": wrapped("global-teardown", ""),
      "jest.config.cjs": `module.exports = ${JSON.stringify({
        preset: "@tidybox/jest",
        testTimeout: 60_000,
        projects: [
          projectOf("one", { globalSetup: "./setup.cjs", globalTeardown: "./teardown.cjs" }),
          projectOf("two", {}),
        ],
      })};`,
    });
    const run = await runJest(project, { args: ["--maxWorkers=2"] });
    expect(run.exitCode, run.output).toBe(0);
    expect(run.accounts, run.output).toHaveLength(1);
    expect(run.accounts[0]).toMatch(/ 2 stopped by tests, 2 by sessions, .*0 left/);
    await nothingLeft(project);
  });

  test("a global setup that takes the place of the preset's: the test says what to do", async () => {
    await using project = await makeJestProject(await jestBed(version), {
      "a.test.js": LEAVES_TO_THE_SESSION,
      "setup.cjs": "module.exports = async () => {};\n",
      "jest.config.cjs": jestConfig({ globalSetup: "./setup.cjs" }),
    });
    const run = await runJest(project);
    expect(run.exitCode).toBe(1);
    const message = run.tests[0]?.messages.join("\n") ?? "";
    expect(message, run.output).toMatch(/No run: the global setup of @tidybox\/jest did not run/);
    expect(message).toMatch(/require\("@tidybox\/jest\/global-setup"\)\.withSandboxes/);
    expect(message).toMatch(/a\.test\.js:2:/);
    await nothingLeft(project);
  });

  test("a Jest in a test of another: a run of its own, or none that it could take for its own", async () => {
    const nested = (config: string): string => `
      const { execFileSync, spawnSync } = require("node:child_process");
      test("starts another", async ({ sandbox, run }) => {
        const jest = spawnSync(process.execPath, [process.env.JEST_BIN, "--config=${config}", "--runInBand"], {
          cwd: __dirname + "/nested", encoding: "utf8",
        });
        require("node:fs").writeFileSync("${config}.txt", run.id + "\\n" + jest.stderr);
        await sandbox.exec(["true"], { check: true });
      });
    `;
    const bed = await jestBed(version);
    await using project = await makeJestProject(bed, {
      "own.test.js": nested("own.json"),
      "none.test.js": nested("none.json"),
      "nested/setup.cjs": "module.exports = async () => {};\n",
      "nested/package.json": "{}\n",
      "nested/inner.test.js": `test("inner", async ({ sandbox }) => {});`,
      "nested/own.json": JSON.stringify({ preset: "@tidybox/jest", transform: {} }),
      "nested/none.json": JSON.stringify({
        preset: "@tidybox/jest",
        transform: {},
        globalSetup: "./setup.cjs",
      }),
      "jest.config.cjs": jestConfig({ testPathIgnorePatterns: ["/nested/"] }),
    });
    for (const way of ["--maxWorkers=2", "--runInBand"]) {
      const run = await runJest(project, {
        args: [way],
        env: { JEST_BIN: `${bed.directory}/node_modules/jest/bin/jest.js` },
      });
      expect(run.exitCode, run.output).toBe(0);
      const own = await readFile(`${project.directory}/own.json.txt`, "utf8");
      expect(own).toMatch(
        /tidybox {2}run .* 1 sandbox: 1 stopped by tests, 0 left|1 stopped by tests, .*0 left/,
      );
      const [outerId = ""] = own.split("\n");
      expect(own).not.toContain(`tidybox  run ${outerId.slice(0, 6)}`);
      const none = await readFile(`${project.directory}/none.json.txt`, "utf8");
      expect(none).toMatch(/No run: the global setup of @tidybox\/jest did not run/);
      expect(run.accounts[0]).toMatch(/ 2 stopped by tests, .*0 left|2 sandboxes: 2 stopped/);
    }
    await nothingLeft(project);
  });
});

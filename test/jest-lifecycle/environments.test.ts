import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { jestBed, jestConfig, makeJestProject, wantedJests } from "../support/jest-project.ts";
import { runJest } from "../support/jest-runner.ts";
import { nothingLeft } from "./nothing-left.ts";

/** In pieces: Vitest reads the docblocks of its own test files. */
const PRAGMA = ["@jest", "environment"].join("-");

const IN_JSDOM = `
test("has a DOM and a sandbox", async ({ sandbox }) => {
  document.body.innerHTML = "<p>text</p>";
  expect(document.querySelector("p").textContent).toBe("text");
  const result = await sandbox.exec(["echo", "from inside"]);
  expect(result).toPrint("from inside");
  expect(result).toSucceed();
  await expect(sandbox.exec(["false"], { check: true })).rejects.toThrow(Error);
  await sandbox.writeFile("/workspace/a.txt", "content");
  await expect(sandbox).toHaveFile("/workspace/a.txt", "content");
});
`;

/** The exported \`test\` in a file whose environment is Jest's own. */
const DOCBLOCK = `
/** ${PRAGMA} jsdom */
const { beforeAll, beforeEach, test } = require("@tidybox/jest");
const { appendFileSync } = require("node:fs");
let made, inAll;
beforeAll(async ({ session, run }) => { inAll = run.id; await session.sandbox(); });
beforeEach(async ({ run }) => { expect(run.id).toBe(inAll); });
test("has a DOM and a sandbox", async ({ sandbox, run }) => {
  expect(document.body).toBeDefined();
  expect(run.id).toBe(inAll);
  await expect(sandbox.exec(["false"], { check: true })).rejects.toThrow(Error);
  expect(await sandbox.exec(["echo", "out"])).toPrint("out");
  made = sandbox;
});
test("got one of its own", async ({ sandbox }) => {
  expect(sandbox.id).not.toBe(made.id);
  await expect(made.exec(["true"])).rejects.toThrow('the test "has a DOM and a sandbox" has ended');
});
test.each([[1, 2], [3, 4]])("%i and %i", async (a, b, { sandbox }) => {
  expect(b).toBe(a + 1);
  expect(await sandbox.exec(["true"])).toSucceed();
});
describe("failing", () => {
  test("shows its sandbox", async ({ sandbox }) => {
    await sandbox.exec(["sh", "-c", "echo some output; exit 3"]);
    throw new Error("my own error");
  });
  test("times out", async ({ sandbox }) => {
    await sandbox.exec(["sleep", "1000"]);
  }, 6000);
  test("wants what is not there", async ({ sandbx }) => {});
});
describe("a hook for one test", () => {
  beforeEach(async ({ sandbox }) => { appendFileSync("hook.txt", sandbox.id); });
  test("cannot have it", () => {});
});
`;

const OWN_ENVIRONMENT = `
const NodeEnvironment = require("jest-environment-node").TestEnvironment;
const { withSandboxes } = require("@tidybox/jest/environment");
const { appendFileSync } = require("node:fs");
class Mine extends NodeEnvironment {
  async setup() { await super.setup(); this.global.mine = "set up"; }
  async teardown() { appendFileSync("events.txt", "teardown\\n"); await super.teardown(); }
  async handleTestEvent(event) { if (event.name === "test_done") appendFileSync("events.txt", "test_done\\n"); }
}
module.exports = withSandboxes(withSandboxes(Mine));
`;

describe.each(wantedJests())("Jest %s", (version) => {
  test("baseEnvironment: jsdom", async () => {
    await using project = await makeJestProject(await jestBed(version), {
      "dom.test.js": IN_JSDOM,
      "jest.config.cjs": jestConfig({
        testEnvironmentOptions: { baseEnvironment: "jsdom", tidybox: { warm: false } },
      }),
    });
    const run = await runJest(project);
    expect(run.exitCode, run.output).toBe(0);
    expect(run.accounts[0]).toMatch(/ 1 sandbox: 1 stopped by tests, 0 left/);
    await nothingLeft(project);
  });

  test("the exported test in a file with a docblock that names jsdom", async () => {
    await using project = await makeJestProject(await jestBed(version), {
      "docblock.test.js": DOCBLOCK.trim(),
      "jest.config.cjs": jestConfig({
        testEnvironmentOptions: { tidybox: { warm: false, report: "account.json" } },
      }),
    });
    const run = await runJest(project);
    const shown = (name: string): string => {
      const found = run.tests.find((each) => each.name.endsWith(name));
      return `${found?.status} ${found?.messages.join("\n")}`;
    };
    for (const name of ["has a DOM and a sandbox", "got one of its own", "1 and 2", "3 and 4"])
      expect(shown(name), run.output).toMatch(/^passed/);
    expect(shown("shows its sandbox")).toMatch(/failed [^]*my own error/);
    expect(shown("shows its sandbox")).toContain("stdout: some output");
    expect(shown("times out")).toContain("Exceeded timeout of 6000 ms");
    expect(shown("wants what is not there")).toMatch(
      /There is no fixture "sandbx"[^]*createSandbox/,
    );
    expect(shown("cannot have it")).toMatch(/"sandbox"[^]*environment of @tidybox\/jest/);
    await expect(readFile(`${project.directory}/hook.txt`)).rejects.toThrow("ENOENT");
    const account = await readFile(`${project.directory}/account.json`, "utf8");
    expect(account).toContain('"file": "docblock.test.js"');
    expect(run.accounts[0]).toMatch(/ 7 sandboxes: 6 stopped by tests, 1 by sessions, 0 left/);
    await nothingLeft(project);
  });

  test("without the preset: the exported test, and global hooks with withSandboxes", async () => {
    await using project = await makeJestProject(await jestBed(version), {
      "a.test.js": `
        const { it, test } = require("@tidybox/jest");
        test("a sandbox", async ({ sandbox, createSandbox }) => {
          const other = await createSandbox({ environment: { WHO: "other" } });
          expect(await other.exec(["sh", "-c", "echo $WHO"])).toPrint("other");
          expect(await sandbox.exec(["true"])).toSucceed();
        });
        it.failing("fails as it must", async ({ sandbox }) => {
          expect(await sandbox.exec(["false"])).toSucceed();
        });
        test.concurrent("at the same time", async ({ sandbox }) => { await sandbox.exec(["true"]); });
        test.skip("makes none", async ({ sandbox }) => {});
        test("has no test.use", () => {
          expect(() => test.use({})).toThrow(/needs the environment of @tidybox.jest/);
        });
      `,
      "setup.cjs":
        'module.exports = require("@tidybox/jest/global-setup").withSandboxes(async () => {});\n',
      "teardown.cjs":
        'module.exports = require("@tidybox/jest/global-teardown").withSandboxes(async () => {});\n',
      "jest.config.cjs": jestConfig({
        preset: undefined,
        globalSetup: "./setup.cjs",
        globalTeardown: "./teardown.cjs",
        testEnvironmentOptions: { tidybox: { warm: false } },
      }),
    });
    const run = await runJest(project);
    expect(run.exitCode, run.output).toBe(0);
    expect(run.accounts[0]).toMatch(/ 4 sandboxes: 4 stopped by tests, 0 left/);
    await nothingLeft(project);
  });

  test("a user's own environment, its own event handler and options in a docblock", async () => {
    await using project = await makeJestProject(await jestBed(version), {
      "environment.cjs": OWN_ENVIRONMENT,
      "own.test.js": `
        test("has both", async ({ sandbox }) => {
          expect(globalThis.mine).toBe("set up");
          expect(await sandbox.exec(["true"])).toSucceed();
        });
      `,
      "options.test.js": [
        `/** ${PRAGMA}-options {"tidybox":{"tags":["from-docblock"],"sandbox":{"environment":{"FROM":"docblock"}}}} */`,
        'test("has its options", async ({ sandbox, run }) => {',
        '  expect(run.tags).toContain("from-docblock");',
        '  expect(await sandbox.exec(["sh", "-c", "echo $FROM"])).toPrint("docblock");',
        "});",
      ].join("\n"),
      "jest.config.cjs": jestConfig({
        testEnvironment: "./environment.cjs",
        testEnvironmentOptions: { tidybox: { tags: ["from-project"] } },
      }),
    });
    const run = await runJest(project, { args: ["--maxWorkers=2"] });
    expect(run.exitCode, run.output).toBe(0);
    const events = await readFile(`${project.directory}/events.txt`, "utf8");
    expect(events.trim().split("\n").toSorted()).toEqual([
      "teardown",
      "teardown",
      "test_done",
      "test_done",
    ]);
    expect(run.accounts[0]).toMatch(/ 2 stopped by tests, .*0 left/);
    await nothingLeft(project);
  });

  test("test.use at the file and in a describe, and the rest of Jest beside it", async () => {
    await using project = await makeJestProject(await jestBed(version), {
      "use.test.js": `
        const { describe, expect, jest: jestObject } = require("@jest/globals");
        const { test, it, beforeEach } = require("@tidybox/jest");
        test.use({ environment: { LEVEL: "file" } });
        const level = async (sandbox) => (await sandbox.exec(["sh", "-c", "echo $LEVEL $OTHER"])).stdout.trim();
        beforeEach(({ sandboxOptions }) => { expect(sandboxOptions.environment.LEVEL).toBeDefined(); });
        test("of the file", async ({ sandbox }) => { expect(await level(sandbox)).toBe("file"); });
        describe("inner", () => {
          test.use({ environment: { LEVEL: "describe", OTHER: "more" } });
          it("of the describe", async ({ sandbox }) => { expect(await level(sandbox)).toBe("describe more"); });
        });
        test("of the file again", async ({ sandbox }) => { expect(await level(sandbox)).toBe("file"); });
        test("cannot be used in a test", async ({ sandbox }) => {
          expect(() => test.use({})).toThrow(/while tests were running/);
        });
      `,
      "beside.test.js": `
        test("fake timers", async ({ sandbox }) => {
          jest.useFakeTimers();
          expect(await sandbox.exec(["echo", "real"])).toPrint("real");
          const called = jest.fn();
          setTimeout(called, 1000);
          jest.advanceTimersByTime(1000);
          expect(called).toHaveBeenCalled();
        });
        test("still fake when it begins", async ({ sandbox }) => {
          expect(await sandbox.exec(["echo", "real"])).toPrint("real");
          jest.useRealTimers();
        });
        test("modules are reset", async ({ sandbox }) => {
          jest.resetModules();
          const { SandboxClosedError } = require("@tidybox/jest");
          expect(SandboxClosedError).toBeDefined();
          expect(await sandbox.exec(["echo", "real"])).toPrint("real");
        });
        test("and again", async ({ sandbox, session }) => {
          expect(await sandbox.exec(["echo", "real"])).toPrint("real");
        });
      `,
      "globals.test.js": `
        const { beforeEach, describe, expect, test } = require("@jest/globals");
        expect(globalThis.test).toBeUndefined();
        let before;
        beforeEach(({ sandbox }) => { before = sandbox.id; });
        describe("without globals", () => {
          test("a sandbox", async ({ sandbox }) => {
            expect(sandbox.id).toBe(before);
            expect(await sandbox.exec(["true"])).toSucceed();
          });
        });
      `,
      "jest.config.cjs": `
        const base = { preset: "@tidybox/jest", transform: {} };
        module.exports = { testTimeout: 60000, projects: [
          { ...base, displayName: "globals", testMatch: ["**/{use,beside}.test.js"] },
          { ...base, displayName: "none", testMatch: ["**/globals.test.js"], injectGlobals: false },
          { transform: {}, displayName: "plain", testMatch: ["**/plain.test.js"] },
        ] };
      `,
      "plain.test.js": `test("takes done", (done) => { expect(typeof done).toBe("function"); done(); });`,
    });
    const run = await runJest(project, { args: ["--maxWorkers=2"] });
    expect(run.exitCode, run.output).toBe(0);
    expect(run.tests).toHaveLength(10);
    expect(run.accounts).toHaveLength(1);
    expect(run.accounts[0]).toMatch(/ 9 stopped by tests, .*0 left|9 sandboxes: 9 stopped/);
    await nothingLeft(project);
  });
});

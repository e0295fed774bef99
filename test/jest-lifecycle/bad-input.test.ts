import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { jestBed, jestConfig, makeJestProject, wantedJests } from "../support/jest-project.ts";
import { runJest } from "../support/jest-runner.ts";
import { nothingLeft } from "./nothing-left.ts";

const SUITE = `
require("node:fs").appendFileSync("ran.txt", "loaded");
test("runs", async ({ sandbox }) => {});
`;

const MISTAKES = `
describe("a hook outside of tests", () => {
  beforeAll(async ({ sandbox }) => {});
  test("is told so", () => {});
});
describe("another", () => {
  afterAll(async ({ createSandbox }) => {});
  test("passes by itself", () => {});
});
test("no such fixture", async ({ sandbx }) => {});
test("the rest", async ({ sandbox, ...rest }) => {});
test("an option that is none", async ({ createSandbox }) => {
  await createSandbox({ containerImages: "x" });
});
`;

const BEFORE_ANY_TEST = [
  {
    what: "an unknown option in testEnvironmentOptions.tidybox",
    config: jestConfig({ testEnvironmentOptions: { tidybox: { maxSandbox: 3 } } }),
    files: {},
    says: [/maxSandbox/, /testEnvironmentOptions\.tidybox/, /Did you mean "maxSandboxes"/],
  },
  {
    what: "options that are no object",
    config: jestConfig({ testEnvironmentOptions: { tidybox: "local" } }),
    files: {},
    says: [/testEnvironmentOptions\.tidybox/],
  },
  {
    what: "a wrong value in tidybox.config.mjs",
    config: jestConfig(),
    files: { "tidybox.config.mjs": "export default { maxSandboxes: 0 };\n" },
    says: [/maxSandboxes/, /tidybox\.config\.mjs/, /at least 1/],
  },
  {
    what: "a configuration that does not load",
    config: jestConfig(),
    files: { "tidybox.config.mjs": "export default {;\n" },
    says: [/tidybox\.config\.mjs/, /cannot be loaded/],
  },
] as const;

describe.each(wantedJests())("Jest %s", (version) => {
  test.each(BEFORE_ANY_TEST)("$what: once, before any test", async ({ config, files, says }) => {
    await using project = await makeJestProject(await jestBed(version), {
      "a.test.js": SUITE,
      "b.test.js": SUITE,
      "jest.config.cjs": config,
      ...files,
    });
    const run = await runJest(project, { args: ["--maxWorkers=2"] });
    expect(run.exitCode, run.output).toBe(1);
    for (const each of says) expect(run.output).toMatch(each);
    expect(run.output.match(/ConfigurationError/g)?.length ?? 1).toBe(1);
    await expect(readFile(`${project.directory}/ran.txt`)).rejects.toThrow("ENOENT");
    await nothingLeft(project);
  });

  test("fixtures that are not there, where they are asked for", async () => {
    await using project = await makeJestProject(await jestBed(version), {
      "mistakes.test.js": MISTAKES,
    });
    const run = await runJest(project);
    const message = (name: string): string =>
      run.tests.find((each) => each.name.endsWith(name))?.messages.join("\n") ?? "";
    expect(message("is told so"), run.output).toMatch(
      /"sandbox" is not there in beforeAll[^]*Use beforeEach/,
    );
    expect(run.output).toMatch(/"createSandbox" is not there in afterAll/);
    expect(message("no such fixture")).toMatch(/There is no fixture "sandbx"[^]*sandbox, create/);
    expect(message("the rest")).toMatch(/"\.\.\.rest" cannot be used/);
    expect(message("an option that is none")).toMatch(/containerImages/);
    for (const name of ["no such fixture", "the rest", "an option that is none"])
      expect(message(name)).toMatch(/mistakes\.test\.js:\d+/);
    expect(run.accounts[0]).toMatch(/ 0 left/);
    await nothingLeft(project);
  });

  test.each([
    {
      what: "baseEnvironment that is not installed",
      config: jestConfig({ testEnvironmentOptions: { baseEnvironment: "happy-dom" } }),
      says: /testEnvironmentOptions\.baseEnvironment "happy-dom" cannot be loaded[^]*Install it/,
    },
    {
      what: "baseEnvironment that is no environment",
      config: jestConfig({ testEnvironmentOptions: { baseEnvironment: "./not-one.cjs" } }),
      says: /testEnvironmentOptions\.baseEnvironment "\.\/not-one\.cjs" is no environment/,
    },
    {
      what: "withSandboxes over something else",
      config: jestConfig({ testEnvironment: "./wrapped.cjs" }),
      says: /withSandboxes\(\) of @tidybox\/jest\/environment[^]*is no environment/,
    },
    {
      what: "an environment that extends ours",
      config: jestConfig({ testEnvironment: "./extended.cjs" }),
      says: /cannot be extended[^]*withSandboxes/,
    },
  ])("$what", async ({ config, says }) => {
    await using project = await makeJestProject(await jestBed(version), {
      "a.test.js": SUITE,
      "not-one.cjs": "module.exports = { node: true };\n",
      "wrapped.cjs":
        'module.exports = require("@tidybox/jest/environment").withSandboxes(class Mine {});\n',
      "extended.cjs":
        'module.exports = class extends require("@tidybox/jest/environment").TestEnvironment {};\n',
      "jest.config.cjs": config,
    });
    const run = await runJest(project);
    expect(run.exitCode).toBe(1);
    expect(run.output).toMatch(says);
    await expect(readFile(`${project.directory}/ran.txt`)).rejects.toThrow("ENOENT");
    await nothingLeft(project);
  });
});

import { describe, expect, inject, test } from "vitest";
import { configFile, makeProject } from "../support/bed.ts";
import { processesWith, serviceFolders, until } from "../support/observer.ts";
import { type RunOptions, runVitest } from "../support/runner.ts";

const SUITE = `
import { test } from "@tidybox/vitest";
import { writeFileSync } from "node:fs";
test("runs", async ({ sandbox }) => { writeFileSync("ran.txt", sandbox.id); });
`;

interface Case {
  readonly what: string;
  /** Source text of the plugin's argument. */
  readonly options?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What the one error must say: the option or variable, the reason, the remedy. */
  readonly says: readonly (string | RegExp)[];
}

const CASES: readonly Case[] = [
  {
    what: "an unknown option",
    options: "{ maxSandbox: 3 } as object",
    says: [
      "maxSandbox",
      "Unknown option",
      "options of tidybox()",
      'Did you mean "maxSandboxes"',
      /options are .*backend/,
    ],
  },
  {
    what: "a tag of 60 characters",
    options: `{ tags: ["${"a".repeat(60)}"] }`,
    says: ["tags", "60 characters", "at most 59"],
  },
  {
    what: "a tag with a bad character",
    options: '{ tags: ["has space"] }',
    says: ["tags", "has space", "A-Z a-z 0-9"],
  },
  { what: "no slots", options: "{ maxSandboxes: 0 }", says: ["maxSandboxes", "at least 1"] },
  {
    what: "no slots, from the environment",
    env: { TIDYBOX_MAX_SANDBOXES: "0" },
    says: ["TIDYBOX_MAX_SANDBOXES", "at least 1"],
  },
  {
    what: "a variable that is no number",
    env: { TIDYBOX_MAX_SANDBOXES: "many" },
    says: ["TIDYBOX_MAX_SANDBOXES", "many", "a number"],
  },
  {
    what: "an unknown engine",
    options: '{ local: { engine: "firecracker" as "docker" } }',
    says: ["local", "engine", "firecracker", '"bubblewrap"', '"process"'],
  },
  {
    what: "coreweave without a key",
    options: '{ backend: "coreweave" }',
    says: ["backend", "coreweave", "CWSANDBOX_API_KEY is not set", "local"],
  },
  {
    what: "an address where nothing listens",
    env: { CWSANDBOX_BASE_URL: "http://127.0.0.1:9", CWSANDBOX_API_KEY: "k" },
    says: ["127.0.0.1:9", /CWSANDBOX_BASE_URL/],
  },
  {
    what: "a sandbox option the client refuses",
    options: "{ sandbox: { maxLifetimeSeconds: 99999999 } }",
    says: ["sandbox", "maxLifetimeSeconds", /30 days|2592000/],
  },
];

describe.each(inject("beds"))("Vitest $version", (bed) => {
  async function refused(config: string, options: RunOptions) {
    await using project = await makeProject(bed, {
      "a.test.ts": SUITE,
      "vitest.config.ts": config,
    });
    const mark = `mark-bad-${bed.version}-${process.pid}-${Math.random()}`;
    const run = await runVitest(project, {
      ...options,
      env: { ...options.env, TIDYBOX_TEST_MARK: mark },
    });
    expect(run.exitCode, run.output).not.toBe(0);
    expect(run.tests.filter(({ status }) => status === "passed")).toEqual([]);
    expect(run.output).not.toMatch(/^\s+at .*node:internal/m);
    await until(
      "processes of the run",
      5,
      () => processesWith(mark),
      (left) => left.length === 0,
    );
    expect(serviceFolders(project)).toEqual([]);
    return run;
  }

  test.each(CASES)(
    "$what is one clear error before any test",
    async ({ options = "{}", env = {}, says }) => {
      const { output } = await refused(configFile(options), { env });
      for (const part of says) expect(output).toMatch(part);
    },
  );

  test("a key that is refused", async () => {
    const { startServe } = await import("../support/serve.ts");
    await using service = await startServe(bed);
    const { output } = await refused(configFile("{}"), {
      env: { ...service.env, CWSANDBOX_API_KEY: "not-the-key-of-this-service" },
    });
    expect(output).toMatch(/CWSANDBOX_API_KEY/);
    expect(output).not.toContain("not-the-key-of-this-service");
    expect(await service.list()).toEqual([]);
  });

  test("no plugin", async () => {
    const { output } = await refused("export default { test: {} };\n", {});
    expect(output).toContain("@tidybox/vitest/plugin");
  });
});

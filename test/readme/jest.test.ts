import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { packAll } from "../packaging/pack.ts";
import { type Bed, installInto, makeProject } from "../support/bed.ts";
import { codeBlocks, filesOf } from "./code-blocks.ts";
import { type JestRun, runJest } from "./run-jest.ts";

const ROOT = join(import.meta.dirname, "../..");
const readme = codeBlocks(await readFile(join(ROOT, "README.md"), "utf8"));
const migrating = codeBlocks(await readFile(join(ROOT, "docs/migrating.md"), "utf8"));

const COMMONJS = { "package.json": '{ "type": "commonjs" }\n' };
const ES_MODULES = { "package.json": '{ "type": "module" }\n' };
const config = filesOf(readme, "jest")["jest.config.js"] ?? "";

let root: string;
let bed: Bed;

beforeAll(async () => {
  // npm's cache is filled by their installs: one at a time.
  if (inject("beds").length === 0) throw new Error("no bed");
  root = await mkdtemp(join(tmpdir(), "tidybox-beds-"));
  const directory = join(root, "jest");
  const { "@tidybox/vitest": _vitest, ...tarballs } = await packAll();
  await installInto(directory, {
    jest: "^30.0.0",
    "jest-environment-jsdom": "^30.0.0",
    "ts-jest": "^29.4.0",
    typescript: "~5.9.0",
    ...Object.fromEntries(Object.entries(tarballs).map(([name, path]) => [name, `file:${path}`])),
  });
  bed = { framework: "jest", version: "30", directory, node: process.execPath };
}, 300_000);

afterAll(() => rm(root, { recursive: true, force: true, maxRetries: 3 }));

async function run(
  files: Readonly<Record<string, string>>,
  env?: Readonly<Record<string, string>>,
): Promise<JestRun> {
  await using project = await makeProject(bed, files);
  // Awaited before the project is removed.
  return await runJest(project, env);
}

function expectPassed({ exitCode, output, tests }: JestRun, count: number): void {
  expect(exitCode, output).toBe(0);
  expect(tests, output).toHaveLength(count);
  expect(tests.filter((each) => !each.endsWith(": passed"))).toEqual([]);
}

test("the first test alone works with the first configuration", async () => {
  const { "adds.test.js": adds = "" } = filesOf(readme, "jest");
  const ended = await run({ ...COMMONJS, "jest.config.js": config, "adds.test.js": adds });
  expectPassed(ended, 1);
  expect(ended.account).toMatch(/1 sandbox: 1 stopped by tests, 0 left/);
});

test("the Jest suite of the README passes, with a body of Vitest's but for the import", async () => {
  const { "commands.test.ts": commands = "" } = filesOf(readme, "");
  const body = commands.replace(/^import .* from "@tidybox\/vitest";\n/m, "");
  expect(body).not.toBe(commands);
  const ended = await run({
    ...COMMONJS,
    ...filesOf(readme, "jest", "with options"),
    "commands.test.js": body,
  });
  expectPassed(ended, 5);
  expect(ended.account).toMatch(/ 0 left .* of 8 /);
});

test("the README's ES modules are ones", async () => {
  const ended = await run(
    {
      ...ES_MODULES,
      ...filesOf(readme, "jest esm", "of an ES module"),
      "adds.test.js": filesOf(readme, "jest")["adds.test.js"] ?? "",
      "imports.test.js": `import { test } from "@tidybox/jest";
test("imports", async ({ sandbox }) => { await sandbox.exec([import.meta.url]).catch(() => {}); });`,
    },
    { NODE_OPTIONS: "--experimental-vm-modules" },
  );
  expectPassed(ended, 2);
});

test("the README's TypeScript is compiled, with its types", async () => {
  const files = filesOf(readme, "jest ts", "for TypeScript");
  expectPassed(await run({ ...COMMONJS, ...files }), 1);
  const wrong = (files["typed.test.ts"] ?? "").replace("{ sandbox }", "{ sandbx: sandbox }");
  const { output } = await run({ ...COMMONJS, ...files, "typed.test.ts": wrong });
  expect(output).toMatch(/Property 'sandbx' does not exist/);
});

test("the README's own environment and set-up go with the preset", async () => {
  expectPassed(
    await run({ ...COMMONJS, ...filesOf(readme, "jest own", "with your own set-up") }),
    1,
  );
});

test("in a file with another environment, the import works and the global says what to do", async () => {
  const docblock = "/** @jest-environment node */\n";
  const adds = filesOf(readme, "jest")["adds.test.js"] ?? "";
  const { tests, output } = await run({
    ...COMMONJS,
    "jest.config.js": config,
    "imported.test.js": `${docblock}const { test } = require("@tidybox/jest");\n${adds.replace('"adds"', '"imported"')}`,
    "global.test.js": `${docblock}${adds.replace('"adds"', '"global"')}test("done", (done) => done());`,
  });
  expect(tests.toSorted()).toEqual(["done: passed", "global: failed", "imported: passed"]);
  expect(output).toMatch(/Fixtures need the environment of @tidybox\/jest/);
  expect(output).toMatch(/> 3 \| test\("global"/);
});

test("a hook outside of tests that asks for a sandbox is shown", async () => {
  const { output } = await run({
    ...COMMONJS,
    "jest.config.js": config,
    "hook.test.js": `beforeAll(({ sandbox }) => sandbox.exec(["true"]));\ntest("x", () => {});`,
  });
  expect(output).toMatch(/"sandbox" is not there in beforeAll/);
  expect(output).toMatch(/> 1 \| beforeAll/);
});

test("the Jest suite of the page about migrating passes", async () => {
  const files = filesOf(migrating, "jest");
  expectPassed(await run({ ...COMMONJS, "jest.config.js": config, ...files }), 3);
});

test("a runner that stands still, as for a compiler in its own process, keeps its run", async () => {
  const adds = filesOf(readme, "jest")["adds.test.js"] ?? "";
  const ended = await run({
    ...COMMONJS,
    "jest.config.js": config,
    "still.test.js": `const until = Date.now() + 12_000;\nwhile (Date.now() < until);\n${adds}`,
  });
  expectPassed(ended, 1);
  expect(ended.account).toMatch(/1 sandbox: 1 stopped by tests, 0 left/);
});

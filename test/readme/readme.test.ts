import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, inject, test } from "vitest";
import { packAll } from "../packaging/pack.ts";
import { makeProject } from "../support/bed.ts";
import { outsideEnvironment } from "../support/environment.ts";
import { tidybox } from "../support/observer.ts";
import { runVitest } from "../support/runner.ts";
import { startServe } from "../support/serve.ts";
import { codeBlocks, filesOf } from "./code-blocks.ts";

const ROOT = join(import.meta.dirname, "../..");
const blocks = codeBlocks(await readFile(join(ROOT, "README.md"), "utf8"));
const {
  "script.ts": script = "",
  "prepared.test.ts": prepared = "",
  "setup/greeting.ts": greeting = "",
  ...files
} = filesOf(blocks, "");
const migrating = codeBlocks(await readFile(join(ROOT, "docs/migrating.md"), "utf8"));

const bed = inject("beds").at(-1);
if (bed === undefined) throw new Error("no bed");

test("every TypeScript block says which file it is", () => {
  expect(blocks.filter(({ language, file }) => language === "ts" && file === undefined)).toEqual(
    [],
  );
});

test("the suite of the README passes, and its account is the line of the README", async () => {
  await using project = await makeProject(bed, files);
  const run = await runVitest(project);
  expect(run.tests.filter(({ status }) => status === "failed")).toEqual([]);
  expect(run.exitCode, run.output).toBe(0);
  expect(run.tests.length).toBeGreaterThanOrEqual(6);

  const [shown] = blocks.filter(({ language }) => language === "text");
  const shape = (line: string | undefined) =>
    line
      ?.trim()
      .replace(/run \S+/, "run ID")
      .replace(/\d[\d.]*/g, "N")
      .replace("sandboxes", "sandbox")
      .replace(/local\/\w+/, "local/ENGINE");
  expect(shape(run.account)).toBe(shape(shown?.code));
});

test("the suite of the page about migrating passes", async () => {
  await using project = await makeProject(bed, {
    "vitest.config.ts": files["vitest.config.ts"] ?? "",
    ...filesOf(migrating, ""),
  });
  const run = await runVitest(project);
  expect(run.exitCode, run.output).toBe(0);
  expect(run.tests.map(({ status }) => status)).toEqual(["passed", "passed"]);
});

test("the first test alone works with the first configuration", async () => {
  const { "vitest.config.ts": config, "adds.test.ts": adds } = files;
  await using project = await makeProject(bed, {
    "vitest.config.ts": config ?? "",
    "adds.test.ts": adds ?? "",
  });
  const run = await runVitest(project);
  expect(run.account).toMatch(/1 sandbox: 1 stopped by tests, 0 left/);
});

test("what is prepared once is there in every test", async () => {
  await using project = await makeProject(bed, {
    "vitest.config.ts": files["vitest.config.ts"] ?? "",
    "prepared.test.ts": prepared,
    "setup/greeting.ts": greeting,
  });
  const run = await runVitest(project);
  expect(run.exitCode, run.output).toBe(0);
  expect(run.tests.map(({ status }) => status)).toEqual(["passed"]);
});

test("the script without a test runner works, and leaves nothing", async () => {
  await using service = await startServe(bed);
  await using project = await makeProject(bed, { "script.ts": script });
  const { stdout } = await promisify(execFile)(process.execPath, ["script.ts"], {
    cwd: project.directory,
    env: outsideEnvironment(service.env),
    timeout: 30_000,
  });
  expect(stdout).toBe("hello\n");
  expect(await service.list()).toEqual([]);
});

describe("shell blocks", () => {
  const lines = blocks
    .filter(({ language }) => language === "sh")
    .flatMap(({ code }) => code.trim().split("\n"));

  test("name scripts that exist", async () => {
    const { scripts } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    const named = lines.flatMap((line) =>
      [...line.matchAll(/npm (?:run (\w+)|(test))/g)].map(([, a, b]) => a ?? b ?? ""),
    );
    expect(named).toEqual(["demo", "test"]);
    for (const name of named) expect(scripts).toHaveProperty([name]);
  });

  test("name commands and options that exist", async () => {
    for (const line of lines.filter((each) => each.startsWith("npx tidybox"))) {
      const words = (line.split("#")[0] ?? "").trim().split(/\s+/).slice(2);
      const [command = ""] = words;
      const { stdout: help } = await tidybox(bed, [command, "--help"]);
      for (const [option] of line.matchAll(/--[a-z-]+/g)) expect(help).toContain(option);
    }
  });

  test("install packages that are packed", async () => {
    const packages = lines.flatMap((line) => [
      ...(/npm install --save-dev (.*)/.exec(line)?.[1]?.split(" ") ?? []),
    ]);
    const known = ["vitest", "jest", ...Object.keys(await packAll())];
    expect(packages.filter((name) => !known.includes(name))).toEqual([]);
  });
});

test("the suite of the README passes on the process engine too, but for what says why it is skipped", async () => {
  await using project = await makeProject(bed, files);
  const run = await runVitest(project, { env: { TIDYBOX_LOCAL_ENGINE: "process" } });
  expect(run.tests.filter(({ status }) => status === "failed")).toEqual([]);
  expect(run.exitCode, run.output).toBe(0);
  expect(run.account).toMatch(/, 0 left +local\/process/);
  expect(run.output).toMatch(/tidybox: .*engine is process/);
});

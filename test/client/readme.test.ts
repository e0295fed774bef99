import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { execa } from "execa";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { codeBlocks } from "../readme/code-blocks.ts";
import { type Project, makeProject } from "../support/bed.ts";
import { outsideEnvironment } from "../support/environment.ts";
import { type Served, startServe } from "../support/serve.ts";

const ROOT = join(import.meta.dirname, "../..");
const TSC = join(ROOT, "node_modules/typescript7/bin/tsc");
const README = await readFile(join(ROOT, "packages/client/README.md"), "utf8");

/** Each `ts` block with the heading it stands under. */
const examples = README.split(/^(?=## )/m).flatMap((section) => {
  const [, heading = "top"] = /^## (.*)/.exec(section) ?? [];
  return codeBlocks(section)
    .filter(({ language }) => language === "ts")
    .map(({ code }, index) => ({ name: `${heading}, example ${index + 1}`, code }));
});
const files = Object.fromEntries(examples.map(({ code }, index) => [`example-${index}.ts`, code]));

const TSCONFIG = {
  compilerOptions: {
    target: "esnext",
    module: "nodenext",
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: ["node"],
    typeRoots: [join(ROOT, "node_modules/@types")],
  },
  include: ["example-*.ts"],
};

const bed = inject("beds").at(-1);
if (bed === undefined) throw new Error("no bed");

let service: Served;
let project: Project;
beforeAll(async () => {
  service = await startServe(bed);
  project = await makeProject(bed, { ...files, "tsconfig.json": JSON.stringify(TSCONFIG) });
});
afterAll(async () => {
  await project?.[Symbol.asyncDispose]();
  await service?.[Symbol.asyncDispose]();
});

test("there are examples, and all of them hold their types", async () => {
  expect(examples.length).toBeGreaterThan(10);
  const { stdout } = await execa(process.execPath, [TSC, "-p", "."], {
    cwd: project.directory,
    reject: false,
  });
  expect(stdout).toBe("");
});

test.for(examples.map(({ name, code }, index) => ({ name, code, file: `example-${index}.ts` })))(
  "$name runs as it stands, prints what it says, and leaves nothing",
  async ({ code, file }) => {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [file], {
      cwd: project.directory,
      env: outsideEnvironment(service.env),
      timeout: 60_000,
    });
    expect(stderr).toBe("");
    const said = [...code.matchAll(/\/\/ prints (.*?)(?= \/\/ prints |$)/gm)].map(
      ([, line]) => line,
    );
    if (said.length > 0) expect(stdout.trimEnd().split("\n")).toEqual(said);
    // One of them is about a sandbox that outlives its script, by a second.
    await expect.poll(() => service.list(), { timeout: 10_000 }).toEqual([]);
  },
);

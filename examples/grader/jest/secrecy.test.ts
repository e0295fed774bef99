import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect } from "@jest/globals";
import { test } from "@tidybox/jest";
import { grade } from "../src/grade.ts";
import { loadProblem } from "../src/problem.ts";
import { graderSandbox, problem, submission } from "./grader-test.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "grader-example-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("a submission that snoops finds neither answers nor secrets", async ({
  createSandbox,
  run,
}) => {
  // Jest cannot skip a test that runs: sandboxes of this engine see the machine's files.
  if (run.engine === "process") return;
  const sandbox = await graderSandbox({ createSandbox, run });

  // A problem with an answer that is nowhere but in this file, and its input tells where that is.
  const answer = randomUUID();
  const file = join(folder, "problem.json");
  const source = join(import.meta.dirname, "../src/grade.ts");
  const hints = [file, source, "/proc/1/environ", "/etc/shadow"];
  const testCase = { name: "hints", input: hints.join("\n"), expected: answer };
  await writeFile(file, JSON.stringify({ ...problem, cases: [testCase] }), { mode: 0o644 });

  const program = await submission(sandbox, "snooping.py");
  const { verdict } = await grade(sandbox, program, await loadProblem(file));

  if (verdict.kind !== "wrong-answer") throw new Error(`it was ${verdict.kind}`);
  // It has looked, and at the right places ...
  expect(verdict.printed).toContain(`REFUSED ${file}: FileNotFoundError`);
  expect(verdict.printed).toContain(`REFUSED ${source}: FileNotFoundError`);
  expect(verdict.printed).toMatch(/^ENVIRONMENT GRADER_MARK=/m);
  expect(verdict.printed).toMatch(/^READ \/workspace\/submission\/main\.py: /m);
  // ... and what is there for us is not there for it.
  expect(await readFile(file, "utf8")).toContain(answer);
  expect(verdict.printed).not.toContain(answer);
  const password = process.env["GRADER_DATABASE_PASSWORD"] ?? "";
  expect(password).not.toBe("");
  expect(verdict.printed).not.toContain(password);
});

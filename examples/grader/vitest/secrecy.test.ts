import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "@tidybox/vitest";
import { grade } from "../src/grade.ts";
import { test } from "./grader-test.ts";
import { loadProblem } from "../src/problem.ts";

test("a submission that snoops finds neither answers nor secrets", async ({
  sandbox,
  submission,
  problem,
  run,
  skip,
  onTestFinished,
}) => {
  skip(run.engine === "process", 'sandboxes of the engine "process" see the machine\'s files');
  const folder = await mkdtemp(join(tmpdir(), "grader-example-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));

  // A problem with an answer that is nowhere but in this file, and its input tells where that is.
  const answer = randomUUID();
  const file = join(folder, "problem.json");
  const source = join(import.meta.dirname, "../src/grade.ts");
  const hints = [file, source, "/proc/1/environ", "/etc/shadow"];
  const testCase = { name: "hints", input: hints.join("\n"), expected: answer };
  await writeFile(file, JSON.stringify({ ...problem, cases: [testCase] }), { mode: 0o644 });

  const graded = await grade(sandbox, await submission("snooping.py"), await loadProblem(file));

  const { verdict } = graded;
  expect.assert(verdict.kind === "wrong-answer");
  // It has looked, and at the right places ...
  expect(verdict.printed).toContain(`REFUSED ${file}: FileNotFoundError`);
  expect(verdict.printed).toContain(`REFUSED ${source}: FileNotFoundError`);
  expect(verdict.printed).toMatch(/^ENVIRONMENT GRADER_MARK=/m);
  expect(verdict.printed).toMatch(/^READ \/workspace\/submission\/main\.py: /m);
  // ... and what is there for us is not there for it.
  expect(await readFile(file, "utf8")).toContain(answer);
  expect(verdict.printed).not.toContain(answer);
  const password = process.env["GRADER_DATABASE_PASSWORD"];
  expect.assert(password !== undefined && password.length > 0);
  expect(verdict.printed).not.toContain(password);
});

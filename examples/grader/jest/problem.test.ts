import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { loadProblem } from "../src/problem.ts";

const LIMITS = { title: "t", timeLimitSeconds: 1, outputLimitBytes: 1 };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "grader-example-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test.each([
  [{ ...LIMITS, cases: [] }, "cases must be a list with at least one case"],
  [{ ...LIMITS, timeLimitSeconds: 0, cases: [] }, "timeLimitSeconds must be a number above 0"],
  [{ ...LIMITS, cases: [{ name: "a", input: "" }] }, "cases[0].expected must be a text"],
])("a problem file that is wrong says where: %j", async (json, message) => {
  const file = join(folder, "problem.json");
  await writeFile(file, JSON.stringify(json));
  await expect(loadProblem(file)).rejects.toThrow(`${file}: ${message}`);
});

import { join } from "node:path";
import { test as base, type Sandbox, type SandboxOptions } from "@tidybox/vitest";
import { loadProblem, type Problem } from "../src/problem.ts";
import { loadSubmission, type Submission } from "../src/submission.ts";

const EXAMPLE = join(import.meta.dirname, "..");

interface GraderFixtures {
  readonly sandboxOptions: SandboxOptions;
  readonly problem: Problem;
  /** Loads a file of `submissions/`; skips the test where its language is not in the sandbox. */
  readonly submission: (fileName: string) => Promise<Submission>;
}

/** tidybox's `test` with what tests of a grader share. */
export const test = base.extend<GraderFixtures>({
  // Strangers' programs have no business on the network. The engine "process" refuses to promise
  // that; everything else about grading can be tried with it all the same.
  sandboxOptions: async ({ run }, use) => {
    await use(run.engine === "process" ? {} : { network: { denyEgress: true } });
  },
  problem: async ({}, use) => {
    await use(await loadProblem(join(EXAMPLE, "problems", "sum.json")));
  },
  submission: async ({ sandbox, skip }, use) => {
    await use(async (fileName) => {
      const submission = await loadSubmission(join(EXAMPLE, "submissions", fileName));
      const { program } = submission;
      skip(!(await hasProgram(sandbox, program)), `${program} is not in the sandbox`);
      return submission;
    });
  },
});

async function hasProgram(sandbox: Sandbox, program: string): Promise<boolean> {
  const found = await sandbox.exec(["sh", "-c", 'command -v -- "$1"', "sh", program]);
  return found.exitCode === 0;
}

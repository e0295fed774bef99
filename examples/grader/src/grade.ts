import { randomUUID } from "node:crypto";
import type { Sandbox } from "@tidybox/client";
import { judge } from "./judge.ts";
import { endLeftProcesses } from "./left-processes.ts";
import type { Problem } from "./problem.ts";
import type { Submission } from "./submission.ts";
import type { Grade } from "./verdict.ts";

/**
 * Where a submission is put and runs, below the sandbox's working directory: a relative path, which
 * on every engine means the same to a command as to a file call.
 */
export const SUBMISSION_FOLDER = "submission";

/**
 * Grades a submission in a sandbox of its own, case by case until the first that it fails. Into
 * the sandbox go the program and one case's input at a time, never an expected answer.
 */
export async function grade(
  sandbox: Sandbox,
  submission: Submission,
  problem: Problem,
): Promise<Grade> {
  await sandbox.writeFile(`${SUBMISSION_FOLDER}/${submission.fileName}`, submission.source);
  const mark = randomUUID();
  const options = { cwd: SUBMISSION_FOLDER, env: { GRADER_MARK: mark } };

  let acceptedCases = 0;
  let leftProcesses = 0;
  for (const testCase of problem.cases) {
    const command = [submission.program, submission.fileName];
    const verdict = await judge(sandbox, command, testCase, problem, options);
    // Before the next case: nobody shall steal its time, or help with it.
    leftProcesses += await endLeftProcesses(sandbox, `GRADER_MARK=${mark}`);
    if (verdict.kind !== "accepted") {
      return { verdict, failedCase: testCase.name, acceptedCases, leftProcesses };
    }
    acceptedCases += 1;
  }
  return { verdict: { kind: "accepted" }, failedCase: undefined, acceptedCases, leftProcesses };
}

import { join } from "node:path";
import type { Sandbox, SandboxFixtures } from "@tidybox/jest";
import { loadProblem } from "../src/problem.ts";
import { loadSubmission, type Submission } from "../src/submission.ts";

const EXAMPLE = join(import.meta.dirname, "..");

export const problem = await loadProblem(join(EXAMPLE, "problems", "sum.json"));

/**
 * Strangers' programs have no business on the network. The engine "process" refuses to promise
 * that; everything else about grading can be tried with it all the same.
 */
export function graderSandbox({
  createSandbox,
  run,
}: Pick<SandboxFixtures, "createSandbox" | "run">): Promise<Sandbox> {
  return createSandbox(run.engine === "process" ? {} : { network: { denyEgress: true } });
}

/** Loads a file of `submissions/`. Throws where its language is not in the sandbox. */
export async function submission(sandbox: Sandbox, fileName: string): Promise<Submission> {
  const loaded = await loadSubmission(join(EXAMPLE, "submissions", fileName));
  const find = ["sh", "-c", 'command -v -- "$1"', "sh", loaded.program];
  const { exitCode } = await sandbox.exec(find);
  if (exitCode !== 0) throw new Error(`${loaded.program} is not in the sandbox`);
  return loaded;
}

import type { FileEnd, LaunchEnd, Outcome } from "./run.ts";
import { folderOf } from "./project.ts";
import { type Suite, SUITES } from "./suites.ts";
import type { Transpiler } from "./transpilers.ts";

/** What came out differently than it must in one project, one line each. */
export function findDifferences(end: LaunchEnd, transpiler: Transpiler): readonly string[] {
  return SUITES.flatMap((suite) => {
    const file = end.files.get(`${folderOf(transpiler)}/${suite.name}`);
    if (file === undefined) return [`${suite.name} did not run`];
    return differences(suite, file, transpiler).map((line) => `${suite.name}: ${line}`);
  });
}

function differences(
  suite: Suite,
  { outcomes, problem, sandboxes }: FileEnd,
  transpiler: Transpiler,
): readonly string[] {
  if (problem !== "") return [problem];
  const found: string[] = [];
  const failed = new Map(
    outcomes.filter(({ status }) => status === "failed").map((test) => [test.title, test]),
  );
  for (const [title, message] of Object.entries(suite.failed)) {
    const shown = failed.get(title)?.messages.join("\n");
    if (shown === undefined) found.push(`"${title}" did not fail`);
    else if (!message.test(shown)) found.push(`"${title}" does not show ${message}: ${shown}`);
  }
  for (const { title, messages } of failed.values()) {
    if (!(title in suite.failed)) found.push(`"${title}" failed: ${messages.join("\n")}`);
  }
  const more = transpiler.hidesParameters === true ? (suite.more ?? 0) : 0;
  const counts = [
    ["passed", count(outcomes, "passed"), suite.passed],
    ["skipped", count(outcomes, "pending"), suite.skipped],
    ["todo", count(outcomes, "todo"), suite.todo],
    ["made as sandboxes", sandboxes, suite.sandboxes + more],
  ] as const;
  for (const [what, got, wanted] of counts)
    if (got !== wanted) found.push(`${got} ${what} instead of ${wanted}`);
  return found;
}

function count(outcomes: readonly Outcome[], wanted: Outcome["status"]): number {
  return outcomes.filter(({ status }) => status === wanted).length;
}

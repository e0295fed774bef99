import type { TestSandboxOptions, TestSandboxes, Worker } from "@tidybox/fixtures";
import { Attempt } from "@tidybox/fixtures/adapter";
import type { TestContext } from "vitest";

/** Bounds our teardown; over it Vitest fails the test, and the run still reaps what it held. */
const TEARDOWN_MS = 15_000;

type Task = TestContext["task"];

/**
 * The sandboxes of one attempt of one test. They are given back in `onTestFinished` and not behind
 * a fixture's `use()`: only the former is bounded, and runs when an afterEach throws (Vitest 3.2)
 * and when set-up lost against the test's timeout.
 */
export function openAttempt(
  context: Pick<TestContext, "task" | "onTestFinished">,
  sandboxesOf: () => Promise<TestSandboxes>,
): Attempt {
  const { task } = context;
  const attempt = new Attempt(fullName(task), sandboxesOf);
  context.onTestFinished(
    () => attempt.end({ failed: task.result?.state === "fail" }, (text) => show(task, text)),
    TEARDOWN_MS,
  );
  return attempt;
}

/** The test as the coordinator and the service know it. */
export async function sandboxesFor(
  task: Task,
  worker: Worker,
  options: TestSandboxOptions,
): Promise<TestSandboxes> {
  const { TestSandboxes } = await import("@tidybox/fixtures");
  return new TestSandboxes(
    worker,
    {
      testName: fullName(task),
      testFile: task.file.name,
      testTimeoutSeconds: Number.isFinite(task.timeout) ? task.timeout / 1000 : 0,
    },
    options,
  );
}

function fullName(task: Task): string {
  const names = [task.name];
  for (let suite = task.suite; suite !== undefined; suite = suite.suite) names.unshift(suite.name);
  return names.join(" > ");
}

/**
 * Added to the message of the test's own last error, which every reporter prints. Where there is no
 * error (`diagnostics: "always"`), printed as the test's own output.
 */
function show(task: Task, diagnostics: string): void {
  const error = task.result?.errors?.at(-1);
  // oxlint-disable-next-line no-console -- Vitest attributes it to the test
  if (error === undefined) console.info(diagnostics);
  else error.message = `${error.message}\n\n${diagnostics}`;
}

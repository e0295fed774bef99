import type { Outlook } from "@tidybox/fixtures";
import type { TestContext } from "vitest";

type Task = TestContext["task"];
type File = Task["file"];

/** The tests of one file, as far as they have come. */
interface FileTests {
  readonly begun: Set<Task>;
  /** That can still begin; undefined as long as nobody has asked. */
  left: number | undefined;
}

const files = new WeakMap<File, FileTests>();

/** To be called before each test, once or, for a retry or a repeat, again. */
export function testBegins(task: Task): void {
  const tests = files.get(task.file) ?? { begun: new Set(), left: undefined };
  files.set(task.file, tests);
  if (tests.begun.has(task)) return;
  tests.begun.add(task);
  if (tests.left !== undefined) tests.left -= 1;
}

/**
 * What is still to come in a test's file, now that the test asks for a sandbox. Which of the tests
 * will ask, Vitest cannot tell: this is the most that can.
 */
export function outlookOf(task: Task): Outlook | undefined {
  const tests = files.get(task.file);
  if (tests === undefined) return undefined;
  // Once for each file, when its modes are settled: a filter, `only` and `skip` have had their say.
  tests.left ??= countLeft(task.file.tasks, tests.begun);
  return { testsBegun: tests.begun.size, testsLeft: tests.left, certain: false };
}

function countLeft(tasks: File["tasks"], begun: ReadonlySet<Task>): number {
  let left = 0;
  for (const task of tasks) {
    if (task.type === "suite") left += countLeft(task.tasks, begun);
    else if (canRun(task) && !begun.has(task)) left += 1;
  }
  return left;
}

function canRun({ mode }: Task): boolean {
  return mode === "run" || mode === "queued";
}

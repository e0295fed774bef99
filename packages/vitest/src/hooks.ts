import type { SandboxFixtures } from "@tidybox/fixtures";
import { type TestContext, afterAll, beforeEach, expect } from "vitest";
import { openAttempt, sandboxesFor } from "./attempt.ts";
import { lazySandbox } from "./lazy-sandbox.ts";
import { matchers } from "./matchers.ts";
import { outlookOf, testBegins } from "./outlook.ts";
import { leaveWorker, publicRun, useWorker } from "./worker.ts";

/**
 * Called by the setup file before each test file. `{ sandbox }` for Vitest's own `test`, imported or
 * global, whose context knows no fixtures: lazy accessors, which cost a test nothing that does not
 * read them.
 */
export function prepareFile(): void {
  expect.extend(matchers);
  dieWithTheRunner();
  let worker: ReturnType<typeof useWorker> | undefined;

  beforeEach(({ task }) => {
    testBegins(task);
    // Taken from the task: a hook of an extended test must take its argument apart.
    const { context } = task;
    let attempt: ReturnType<typeof openAttempt> | undefined;
    const createSandbox: SandboxFixtures["createSandbox"] = async (options) => {
      attempt ??= openAttempt(context, async () =>
        sandboxesFor(task, await (worker ??= useWorker()), {}),
      );
      return (await attempt.sandboxes()).create(options, outlookOf(task));
    };
    accessor(context, "createSandbox", () => createSandbox);
    accessor(context, "sandbox", () => lazySandbox(() => createSandbox()));
    accessor(context, "run", publicRun);
  });

  afterAll(async () => {
    if (worker === undefined) return;
    worker = undefined;
    await leaveWorker();
  });
}

type Accessor = "sandbox" | "createSandbox" | "run";

/** What of a context is ours, and may be made anew: one context serves every attempt of its test. */
const ours = new WeakMap<TestContext, Set<Accessor>>();

/**
 * Read once in an attempt and kept; a real fixture of that name, set later by an extended test,
 * takes its place.
 */
function accessor<K extends Accessor>(
  context: TestContext,
  name: K,
  make: () => SandboxFixtures[K],
): void {
  const names = ours.get(context) ?? new Set();
  ours.set(context, names);
  if (Object.hasOwn(context, name) && !names.has(name)) return;
  names.add(name);
  const become = (value: SandboxFixtures[K]) => {
    Object.defineProperty(context, name, {
      value,
      writable: true,
      configurable: true,
      enumerable: true,
    });
    return value;
  };
  Object.defineProperty(context, name, {
    configurable: true,
    enumerable: false,
    get: () => become(make()),
    set: (value: SandboxFixtures[K]) => {
      names.delete(name);
      become(value);
    },
  });
}

/**
 * A fork outlives its runner on Vitest 3.2 (for ever, growing) and 4 (as long as the test's body
 * runs). `process.exit` is intercepted in a worker, so it ends itself the hard way; its sandboxes
 * are the coordinator's business.
 */
function dieWithTheRunner(): void {
  const key = Symbol.for("tidybox.vitest.dies-with-runner");
  const marked = process as { [key]?: boolean };
  if (process.send === undefined || marked[key] === true) return;
  marked[key] = true;
  process.once("disconnect", () => process.kill(process.pid, "SIGKILL"));
}

import type { TestProject } from "vitest/node";
import { print } from "./print.ts";
import { findRun } from "./runs.ts";
import type {} from "./types.ts";

/**
 * Runs in Vitest's main process before the tests of each project, and its answer after them.
 *
 * @throws ConfigurationError, before any test, when something in the configuration is wrong.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { vitest } = project;
  const run = findRun(vitest);
  if (run === undefined) {
    throw new Error("tidybox's global setup ran without its plugin: add tidybox() to `plugins`.");
  }
  const started = await run.started;
  const own = run.projects.get(project.name);
  const info = own === undefined ? started.info : await started.forProject(own);
  project.provide("tidybox", info);
  if (run.finished === undefined)
    for (const notice of once(started.notices)) vitest.logger.warn(`tidybox: ${notice}`);
  await started.prepare(info);
  return async () => {
    const first = run.finished === undefined;
    const finished = await started.finish();
    run.finished = finished;
    if (!first) return;
    for (const line of finished.lines) print(vitest, line);
    if (finished.failure !== undefined) {
      // A throw from a global teardown is only logged by some versions: the status says it too.
      process.exitCode = 1;
      throw new Error(finished.failure);
    }
  };
}

const printed = new WeakSet<readonly string[]>();

function once(notices: readonly string[]): readonly string[] {
  if (printed.has(notices)) return [];
  printed.add(notices);
  return notices;
}

import type { JestProjectConfig } from "./run/project.ts";
import { beginRun, endRun } from "./run/run-of-runner.ts";
import type { JestGlobalConfig } from "./run/selection.ts";

/** A global setup as Jest calls it. */
export type GlobalSetup<G = JestGlobalConfig, P = JestProjectConfig> = (
  globalConfig: G,
  projectConfig: P,
) => unknown;

/**
 * Runs in Jest's main process before the tests.
 *
 * @throws ConfigurationError, before any test, when something in the configuration is wrong.
 */
export default async function globalSetup(
  globalConfig: JestGlobalConfig,
  projectConfig: JestProjectConfig,
): Promise<void> {
  await beginRun(globalConfig, projectConfig);
}

/**
 * For a `globalSetup` of one's own, which takes the place of the preset's: begins the run, then
 * calls yours, and ends the run when yours throws. `module.exports = withSandboxes(async (globalConfig, projectConfig) => { … })`
 */
export function withSandboxes<G extends JestGlobalConfig, P extends JestProjectConfig>(
  yours: GlobalSetup<G, P>,
): GlobalSetup<G, P> {
  return async (globalConfig, projectConfig) => {
    await beginRun(globalConfig, projectConfig);
    try {
      await yours(globalConfig, projectConfig);
    } catch (error) {
      // Jest calls no teardown after that. Theirs is the error to see.
      await endRun().catch((ours: unknown) => process.stderr.write(`${String(ours)}\n`));
      throw error;
    }
  };
}

import type { JestProjectConfig } from "./run/project.ts";
import { type JestGlobalConfig, beginRun } from "./run/run-of-runner.ts";

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
 * calls yours. `module.exports = withSandboxes(async (globalConfig, projectConfig) => { … })`
 */
export function withSandboxes<G extends JestGlobalConfig, P extends JestProjectConfig>(
  yours: GlobalSetup<G, P>,
): GlobalSetup<G, P> {
  return async (globalConfig, projectConfig) => {
    await beginRun(globalConfig, projectConfig);
    await yours(globalConfig, projectConfig);
  };
}

import type { GlobalSetup } from "./global-setup.ts";
import type { JestProjectConfig } from "./run/project.ts";
import { endRun } from "./run/run-of-runner.ts";
import type { JestGlobalConfig } from "./run/selection.ts";

/**
 * Runs in Jest's main process after the tests: stops what is left and prints the run's account.
 *
 * @throws when something could not be stopped and `failOnLeak` is on; Jest prints it and fails
 */
export default async function globalTeardown(): Promise<void> {
  await endRun();
}

/**
 * For a `globalTeardown` of one's own, which takes the place of the preset's: calls yours, then ends
 * the run, also where yours throws.
 */
export function withSandboxes<G extends JestGlobalConfig, P extends JestProjectConfig>(
  yours: GlobalSetup<G, P>,
): GlobalSetup<G, P> {
  return async (globalConfig, projectConfig) => {
    try {
      await yours(globalConfig, projectConfig);
    } catch (error) {
      // The user's own error is the one to see; what ours has to say is printed on the way.
      await endRun().catch((ours: unknown) => process.stderr.write(`${String(ours)}\n`));
      throw error;
    }
    await endRun();
  };
}

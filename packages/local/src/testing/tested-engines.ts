import type { EngineName } from "../engines/engine.ts";

/** Docker for tests, which `npm test` starts; undefined where there is none. */
export const testDockerHost = process.env["TIDYBOX_TEST_DOCKER_HOST"];

/** The services that tests start find it by this. */
if (testDockerHost !== undefined) process.env["DOCKER_HOST"] = testDockerHost;

export const NO_DOCKER =
  "needs Docker: `npm test` starts one where it runs as root on Debian or Ubuntu";

/** Why the tests of Docker are skipped is told by those of the engine itself. */
export const testedEngines: readonly EngineName[] = [
  "bubblewrap",
  "process",
  ...(testDockerHost === undefined ? [] : (["docker"] as const)),
];

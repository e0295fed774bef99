import type { EngineName } from "../engines/engine.ts";

/** Docker for tests, which `npm test` starts; undefined where there is none. */
export const testDockerHost = process.env["TIDYBOX_TEST_DOCKER_HOST"];

/** The services that tests start find it by this. */
if (testDockerHost !== undefined) process.env["DOCKER_HOST"] = testDockerHost;

/** This machine as containers see it, over the bridge of that Docker; undefined where it has none. */
export const testDockerGateway = process.env["TIDYBOX_TEST_DOCKER_GATEWAY"];

/** For tests that need that bridge, where there is none. */
export const NO_BRIDGE =
  "needs a Docker whose containers have a network: `npm test` makes one where `ip link add` is allowed";

export const NO_DOCKER =
  "needs Docker: `npm test` starts one where it runs as root on Debian or Ubuntu";

/** Those that have volumes, several containers in a sandbox, read-only roots and limits of memory. */
export const fullEngines = [
  "bubblewrap",
  ...(testDockerHost === undefined ? [] : (["docker"] as const)),
] as const;

/** Why the tests of Docker are skipped is told by those of the engine itself. */
export const testedEngines: readonly EngineName[] = [
  "bubblewrap",
  "process",
  ...(testDockerHost === undefined ? [] : (["docker"] as const)),
];

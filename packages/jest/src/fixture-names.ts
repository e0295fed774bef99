/** Made for one test, and ended with it. */
export const TEST_FIXTURES: readonly string[] = ["sandbox", "createSandbox", "sandboxOptions"];

/** Of the worker, and so there in beforeAll and afterAll as well. */
export const WORKER_FIXTURES: readonly string[] = ["session", "run"];

export const FIXTURE_NAMES: readonly string[] = [...TEST_FIXTURES, ...WORKER_FIXTURES];

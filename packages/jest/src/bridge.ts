import type { TestSandboxOptions } from "@tidybox/fixtures";

/** Where the environment leaves for the test file's own modules what they need of it. */
export const BRIDGE_KEY = Symbol.for("tidybox.jest");

/** The environment as modules inside the realm of tests see it. */
export interface Bridge {
  /** Defines a test whose parameter can only be meant for fixtures. */
  explicitly<T>(define: () => T): T;
  /** Sandbox options of the tests in the describe, or the file, in which it is called. */
  use(options: TestSandboxOptions): void;
}

/** Undefined where the file's environment is not ours. */
export function bridge(): Bridge | undefined {
  return (globalThis as { [BRIDGE_KEY]?: Bridge })[BRIDGE_KEY];
}

import type { Printed } from "./matchers.ts";

/** The matchers of tidybox; `R` is what an assertion answers. */
export interface SandboxMatchers<R = unknown> {
  /** The command ended with exit code 0. */
  toSucceed(): R;
  /** The command ended with that exit code; 128 + n when signal n ended it. */
  toExitWith(exitCode: number): R;
  /** The command printed that text or something that matches the pattern, on either stream. */
  toPrint(expected: Printed): R;
  /** The sandbox has that file, with that content (or content that matches) where one is given. */
  toHaveFile(path: string, content?: Printed): Promise<void>;
}

declare module "vitest" {
  // oxlint-disable-next-line no-unused-vars -- a declaration must repeat the original's parameters
  interface Assertion<T = unknown> extends SandboxMatchers<void> {}
  interface AsymmetricMatchersContaining extends SandboxMatchers {}
}

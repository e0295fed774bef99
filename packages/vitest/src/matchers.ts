import type { Printed } from "@tidybox/fixtures/adapter";

export { matchers, type Printed } from "@tidybox/fixtures/adapter";

declare global {
  // Vitest's own `Matchers` and `Assertion` have other type parameters in each major version, and a
  // declaration must repeat them exactly. What they are all built on has none.
  namespace Chai {
    interface Assertion {
      /** The command ended with exit code 0. */
      toSucceed(): void;
      /** The command ended with that exit code; 128 + n when signal n ended it. */
      toExitWith(exitCode: number): void;
      /** The command printed that text or something that matches the pattern, on either stream. */
      toPrint(expected: Printed): void;
      /** The sandbox has that file, with that content (or content that matches) where one is given. */
      toHaveFile(path: string, content?: Printed): Promise<void>;
    }
  }
}

import type { RunInfo, SandboxFixtures } from "@tidybox/fixtures";

declare module "vitest" {
  interface TestContext extends SandboxFixtures {}

  interface ProvidedContext {
    /** Set by the plugin of `@tidybox/vitest`. */
    readonly tidybox: RunInfo;
  }
}

import type { Sandbox, SandboxOptions, Session } from "@tidybox/client";
import type { Run, RunInfo } from "@tidybox/fixtures";

/** More sandboxes for a test, each stopped after it. */
export type CreateSandbox = (options?: SandboxOptions) => Promise<Sandbox>;

/** What a test may ask for by name. */
export interface SandboxFixtures {
  /** A fresh running sandbox, stopped after the test. */
  readonly sandbox: Sandbox;
  /** `(options?) => Promise<Sandbox>`: more of them, stopped after the test. */
  readonly createSandbox: CreateSandbox;
  /**
   * Options of this test's sandboxes, over those of the run. Override it for a file, a describe or
   * one test: `test.override({ sandboxOptions: { … } })`, `test.scoped(…)` on Vitest 3.2.
   */
  readonly sandboxOptions: SandboxOptions;
  /** The worker's session; closed when the worker ends (with isolation: when the file ends). */
  readonly session: Session;
  readonly run: Run;
}

declare module "vitest" {
  interface TestContext extends SandboxFixtures {}

  interface ProvidedContext {
    /** Set by the plugin of `@tidybox/vitest`. */
    readonly tidybox: RunInfo;
  }
}

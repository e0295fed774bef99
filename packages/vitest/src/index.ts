import { expect } from "vitest";
import { matchers } from "./matchers.ts";
// oxlint-disable-next-line import/no-unassigned-import -- a type-only import would be left out of dist
import "./types.ts";

// Also where no plugin runs the setup file: a matcher must never be missing beside its type.
expect.extend(matchers);

export { expect };
export { afterAll, afterEach, beforeAll, beforeEach, describe } from "vitest";
export { test, test as it, sandboxFixtures } from "./fixtures.ts";
export { matchers, type Printed } from "./matchers.ts";
// From the entry that holds nothing but the classes: a test file must not pay for the wire.
export {
  AuthenticationError,
  CleanupError,
  CommandFailedError,
  CommandTimeoutError,
  ConfigurationError,
  FileError,
  NotFoundError,
  QuotaError,
  SandboxClosedError,
  SandboxFailedError,
  TidyboxError,
  TimeoutError,
  UnavailableError,
} from "@tidybox/client/errors";
export type { ExecResult, Sandbox, SandboxOptions, Session } from "@tidybox/client";
export type { CreateSandbox, Run, SandboxFixtures, TestSandboxOptions } from "@tidybox/fixtures";

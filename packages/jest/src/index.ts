// oxlint-disable-next-line import/no-unassigned-import -- a type-only import would be left out of dist
import "./augmentations.ts";
import * as jest from "@jest/globals";
import { bridge } from "./bridge.ts";
import type { GlobalTest, TestFunction } from "./circus/circus.ts";
import { matchers } from "@tidybox/fixtures/adapter";
import { type Definition, decorateTest } from "./exported-test.ts";
import { fixturesWithoutEnvironment, useWithoutEnvironment } from "./own-environment.ts";
import type { JestHook, JestWorkerHook, SandboxTest } from "./types.ts";

const environment = bridge();

// Also where no preset runs the setup file: a matcher must never be missing beside its type.
jest.expect.extend(matchers);

// Not import.meta: what the build makes of that for CommonJS asks a DOM where there is one.
const withoutEnvironment =
  environment === undefined ? fixturesWithoutEnvironment(__dirname) : undefined;

function defineTest(definition: Definition): unknown {
  if (withoutEnvironment !== undefined) return withoutEnvironment.defineTest(definition);
  return environment?.explicitly(() => definition.define(definition.fn));
}

const use = environment?.use ?? useWithoutEnvironment;
const decorated = decorateTest(jest.test as unknown as GlobalTest, defineTest);

/** Jest's `test` with the fixtures of tidybox, whatever a transpiler has made of its function. */
export const test = new Proxy(decorated, {
  get: (target, key) => (key === "use" ? use : Reflect.get(target, key)),
}) as unknown as SandboxTest;

export { test as it };

function hook(name: "beforeAll" | "beforeEach" | "afterEach" | "afterAll"): unknown {
  return (fn: TestFunction, timeout?: number): unknown => {
    const define = (body: TestFunction): unknown =>
      Reflect.apply(jest[name], undefined, [body, timeout]);
    return withoutEnvironment === undefined
      ? environment?.explicitly(() => define(fn))
      : define(withoutEnvironment.hook(name, fn));
  };
}

/** Jest's, with `session` and `run`. */
export const beforeAll = hook("beforeAll") as JestWorkerHook;
/** Jest's, with the fixtures of the test that it runs before. */
export const beforeEach = hook("beforeEach") as JestHook;
/** Jest's, with the fixtures of the test that it runs after. */
export const afterEach = hook("afterEach") as JestHook;
/** Jest's, with `session` and `run`. */
export const afterAll = hook("afterAll") as JestWorkerHook;

export { matchers, type Printed } from "@tidybox/fixtures/adapter";
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
export type { Run, TestSandboxOptions, TidyboxOptions } from "@tidybox/fixtures";
export type { CreateSandbox, SandboxFixtures, WorkerFixtures } from "@tidybox/fixtures";
export type * from "./types.ts";

import type { SandboxFixtures, TestSandboxOptions, WorkerFixtures } from "@tidybox/fixtures";
import type { SandboxEach } from "./each-types.ts";

/** Ends a test or hook that waits for it; called with a reason, the test fails. */
export type Done = (reason?: string | Error) => void;

/**
 * The last argument of a test or hook: fixtures where it is taken apart (`({ sandbox }) => …`), and
 * Jest's own `done` where it is not. One type for both, because TypeScript types a parameter by the
 * first overload that it tries.
 */
export type FixturesOrDone = SandboxFixtures & Done;

/** What Jest accepts from a test. */
export type TestResult = void | undefined | PromiseLike<unknown> | Generator<void, unknown, void>;

/** A title, or what has a name. */
export type TestName = string | number | { readonly name: string };

/** @param timeout in milliseconds; Jest's own (5000 by default) when left out */
type Define<Last, Result> = (name: TestName, fn: (last: Last) => Result, timeout?: number) => void;

/** Runs, with fixtures; `each` runs it for each case, whose arguments come before the fixtures. */
interface Definition<Last, Result> extends Define<Last, Result> {
  readonly each: SandboxEach<Last, Result>;
}

/** A variant of `test`; `failing` passes when the test fails. */
interface Variant<Last, Result> extends Definition<Last, Result> {
  readonly failing: Definition<Last, Result>;
}

/** Jest waits for what these return only, knows no `done` here and runs no beforeEach, afterEach. */
interface ConcurrentTest extends Variant<SandboxFixtures, PromiseLike<unknown>> {
  readonly only: Variant<SandboxFixtures, PromiseLike<unknown>>;
  readonly skip: Variant<SandboxFixtures, PromiseLike<unknown>>;
}

/** Jest's own `test`, whose functions may ask for fixtures: `test("x", async ({ sandbox }) => …)`. */
export interface JestTest extends Variant<FixturesOrDone, TestResult> {
  readonly only: Variant<FixturesOrDone, TestResult>;
  readonly skip: Variant<FixturesOrDone, TestResult>;
  readonly concurrent: ConcurrentTest;
  readonly todo: (name: TestName) => void;
}

/** The `test` of `@tidybox/jest`: Jest's, and `use`. */
export interface SandboxTest extends JestTest {
  /**
   * Options of the sandboxes of the describe (or, outside of any, of the file) that it stands in,
   * over those of the run and of the describes around it; tags add up.
   */
  readonly use: (options: TestSandboxOptions) => void;
}

/** `fit`: one that may be run alone, with its concurrent kind. */
export type JestTestOnly = Variant<FixturesOrDone, TestResult> & {
  readonly concurrent?: Variant<SandboxFixtures, PromiseLike<unknown>>;
};

/** `xit` and `xtest`: never run. */
export type JestTestSkipped = Variant<FixturesOrDone, TestResult>;

/**
 * `beforeEach` and `afterEach`, with the fixtures of the test that they run for.
 *
 * @param timeout in milliseconds; Jest's own (5000 by default) when left out
 */
export type JestHook = (fn: (last: FixturesOrDone) => TestResult, timeout?: number) => void;

/**
 * `beforeAll` and `afterAll`: there is no test, and so no sandbox of one; `session` makes some.
 *
 * @param timeout in milliseconds; Jest's own (5000 by default) when left out
 */
export type JestWorkerHook = (
  fn: (last: WorkerFixtures & Done) => TestResult,
  timeout?: number,
) => void;

/** @typeParam Result void, or a promise after `.resolves` and `.rejects` */
export interface SandboxMatchers<Result> {
  /** The command ended with exit code 0. */
  toSucceed(): Result;
  /** The command ended with that exit code; 128 + n when signal n ended it. */
  toExitWith(exitCode: number): Result;
  /** The command printed that text or something that matches the pattern, on either stream. */
  toPrint(expected: string | RegExp): Result;
  /** The sandbox has that file, with that content (or content that matches) where one is given. */
  toHaveFile(path: string, content?: string | RegExp): Promise<void>;
}

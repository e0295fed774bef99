import type { TestSandboxOptions } from "@tidybox/fixtures";
import { ConfigurationError } from "@tidybox/client/errors";
import type { FileFixtures, FixtureValues, TestAttempt } from "../file-fixtures.ts";
import {
  type CircusEvent,
  type CircusState,
  type CircusTest,
  type DescribeBlock,
  type GlobalTest,
  type TestFunction,
  fullName,
} from "./circus.ts";
import { addToErrors } from "./diagnostics.ts";
import { FileOutlook } from "./file-outlook.ts";
import { hideFrames } from "./frames.ts";
import { type Wanted, wantedFixtures } from "./parameters.ts";
import { argumentsOfCase } from "./rows.ts";

export interface CircusFixturesOptions {
  readonly fixtures: FileFixtures;
  /** The console of the tests' realm, to which Jest attributes output. */
  readonly print: (text: string) => void;
  /** Frames of files below it are not shown as a test's own. */
  readonly ownFolder: string;
}

/**
 * Gives the tests of one file their fixtures, by way of the events of jest-circus: a function that
 * asks for fixtures is put into another that takes no parameter, right after circus has taken it
 * in. So circus never sees a parameter that it would take for `done`, and everything else about a
 * test (its variants, timeouts, retries, locations) remains circus' own business.
 */
export class CircusFixtures {
  readonly #fixtures: FileFixtures;
  readonly #print: (text: string) => void;
  readonly #ownFolder: string;
  readonly #attempts = new Map<CircusTest, TestAttempt>();
  readonly #options = new WeakMap<DescribeBlock, readonly TestSandboxOptions[]>();
  readonly #outlook = new FileOutlook((block) => this.#optionsIn(block));
  #state: CircusState | undefined;
  /** Set while the exported `test` defines a test. */
  #isExplicit = false;
  /** Set while a patched `each` defines its tests. */
  #isInEach = false;
  /** And what they want, while they get fixtures: circus gets to see a closure of jest-each. */
  #wantedByEach: Wanted | undefined;
  /** The test whose closure of jest-each is about to call our function. */
  #calling: CircusTest | undefined;

  constructor({ fixtures, print, ownFolder }: CircusFixturesOptions) {
    this.#fixtures = fixtures;
    this.#print = print;
    this.#ownFolder = ownFolder;
  }

  /** To be called with every event, before anything is awaited: tests are defined synchronously. */
  handle(event: CircusEvent, state: CircusState): Promise<void> | undefined {
    this.#state = state;
    switch (event.name) {
      case "setup":
        this.#patchEach(event.runtimeGlobals.test);
        return undefined;
      case "add_test":
        this.#onTest(event.fn, state);
        return undefined;
      case "add_hook":
        this.#onHook(event.fn, state);
        return undefined;
      case "test_start":
        this.#outlook.begins(event.test, state);
        return undefined;
      case "test_done":
        return this.#onTestDone(event.test);
      case "run_finish":
        return this.#fixtures.end();
    }
    return undefined;
  }

  /** Defines a test whose parameter can only be meant for fixtures. */
  explicitly<T>(define: () => T): T {
    const before = this.#isExplicit;
    this.#isExplicit = true;
    try {
      return define();
    } finally {
      this.#isExplicit = before;
    }
  }

  /**
   * Sandbox options of the tests in the describe, or the file, in which it is called.
   *
   * @throws ConfigurationError in a test or a hook: then it is too late for some of them
   */
  use(options: TestSandboxOptions): void {
    const state = this.#state;
    if (state === undefined || state.hasStarted) {
      throw new ConfigurationError({
        message: "test.use() was called while tests were running.",
        advice:
          "Call it at the top of the file or in a describe. For one sandbox in a test, use createSandbox(options).",
      });
    }
    const block = state.currentDescribeBlock;
    this.#options.set(block, [...(this.#options.get(block) ?? []), options]);
  }

  #onTest(fn: TestFunction, state: CircusState): void {
    const test = state.currentDescribeBlock.children.at(-1);
    // A test in a test, or a late one: circus has refused it.
    if (test?.type !== "test" || test.fn !== fn) return;
    // Only where we stand between: whoever looks at a stack makes Jest map it to the source.
    if (this.#isExplicit || this.#isInEach) hideFrames(test.asyncError, this.#ownFolder);
    if (this.#wantedByEach !== undefined) {
      this.#outlook.testWants(test, this.#wantedByEach);
      test.fn = this.#wrap(test, (self) => {
        this.#calling = test;
        return Reflect.apply(fn, self, []);
      });
      return;
    }
    const wanted = wantedFixtures(fn, { explicit: this.#isExplicit });
    if (wanted.kind === "nothing") return;
    this.#outlook.testWants(test, wanted);
    test.fn = this.#wrap(test, async (self) =>
      Reflect.apply(fn, self, [await this.#fixturesOf(test, wanted)]),
    );
  }

  /** Circus looks at a function's length when it calls it: this one's is 0. */
  #wrap(test: CircusTest, body: (self: unknown) => unknown): TestFunction {
    const begin = (): void => {
      if (this.#state !== undefined) this.#outlook.begins(test, this.#state);
    };
    const end = (failed: boolean): Promise<void> => this.#endAttempt(test, failed);
    return async function (this: unknown) {
      if (!test.concurrent) return body(this);
      // On Jest 29 all concurrent tests run before the first one is begun or done as circus has it.
      begin();
      let failed = true;
      try {
        await body(this);
        failed = false;
      } finally {
        await end(failed);
      }
      return undefined;
    };
  }

  #onHook(fn: TestFunction, state: CircusState): void {
    const hook = state.currentDescribeBlock.hooks.at(-1);
    if (hook?.fn !== fn) return;
    const wanted = wantedFixtures(fn, { explicit: this.#isExplicit });
    if (wanted.kind === "nothing") return;
    const { type, parent } = hook;
    if (type === "beforeEach" || type === "afterEach") this.#outlook.hookWants(parent, wanted);
    const values = (): Promise<FixtureValues> => {
      const test = this.#state?.currentlyRunningTest ?? undefined;
      const isOfTest = type === "beforeEach" || type === "afterEach";
      return isOfTest && test !== undefined
        ? this.#fixturesOf(test, wanted)
        : this.#fixtures.forHookOutsideTests(wanted, type).catch((error: unknown) => {
            throw this.#at(hook, this.#fixtures.realm.enter(error));
          });
    };
    hook.fn = async function (this: unknown) {
      return Reflect.apply(fn, this, [await values()]);
    };
  }

  /**
   * jest-each hands circus a closure in which the user's function cannot be seen, so it is put into
   * another one before. These objects are the ones that `@jest/globals` hands out too.
   */
  #patchEach(test: GlobalTest): void {
    const seen = new Set<GlobalTest>();
    const patch = (variant: GlobalTest | undefined): void => {
      if (variant === undefined || seen.has(variant)) return;
      seen.add(variant);
      const { each } = variant;
      if (each !== undefined) {
        variant.each = (table, ...data) => {
          const define = each(table, ...data);
          return (name, fn, timeout) => {
            this.#isInEach = true;
            try {
              return this.#defineEach(define, table, name, fn, timeout);
            } finally {
              this.#isInEach = false;
            }
          };
        };
      }
      for (const below of ["only", "skip", "failing", "concurrent"] as const) patch(variant[below]);
    };
    patch(test);
  }

  #defineEach(
    define: (name: string, fn: TestFunction, timeout?: number) => unknown,
    table: unknown,
    name: string,
    fn: TestFunction,
    timeout: number | undefined,
  ): unknown {
    const before = argumentsOfCase(table);
    const wanted =
      typeof fn === "function"
        ? wantedFixtures(fn, { before, explicit: this.#isExplicit })
        : undefined;
    if (wanted === undefined || wanted.kind === "nothing") return define(name, fn, timeout);
    const fixturesOfCase = (): Promise<FixtureValues> => {
      const test = this.#calling;
      if (test === undefined) throw new Error("tidybox: a case of test.each ran outside of a test");
      return this.#fixturesOf(test, wanted);
    };
    const withFixtures: TestFunction = async function (this: unknown, ...args) {
      return Reflect.apply(fn, this, [...args, await fixturesOfCase()]);
    };
    this.#wantedByEach = wanted;
    try {
      return define(name, withFixtures, timeout);
    } finally {
      this.#wantedByEach = undefined;
    }
  }

  async #fixturesOf(test: CircusTest, wanted: Wanted): Promise<FixtureValues> {
    let attempt = this.#attempts.get(test);
    if (attempt === undefined) {
      attempt = this.#fixtures.begin({
        name: fullName(test),
        timeoutSeconds: (test.timeout ?? this.#state?.testTimeout ?? 0) / 1000,
        options: this.#optionsIn(test.parent),
        outlook: (fixture) => this.#state && this.#outlook.of(test, fixture, this.#state),
      });
      this.#attempts.set(test, attempt);
    }
    try {
      return await attempt.fixtures(wanted);
    } catch (error) {
      throw this.#at(test, this.#fixtures.realm.enter(error));
    }
  }

  /** Points at the test or hook: the error's own frames are all ours. */
  #at({ asyncError }: Pick<CircusTest, "asyncError">, error: unknown): unknown {
    if (!(typeof error === "object" && error !== null && "stack" in error && "message" in error))
      return error;
    hideFrames(asyncError, this.#ownFolder);
    const frames = (asyncError.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
    const name = "name" in error ? String(error.name) : "Error";
    error.stack = [`${name}: ${String(error.message)}`, ...frames].join("\n");
    return error;
  }

  /** The outermost first: the inner ones win. */
  #optionsIn(inner: DescribeBlock): readonly TestSandboxOptions[] {
    const layers: TestSandboxOptions[] = [];
    for (let block: DescribeBlock | undefined = inner; block; block = block.parent)
      layers.unshift(...(this.#options.get(block) ?? []));
    return layers;
  }

  async #onTestDone(test: CircusTest): Promise<void> {
    await this.#endAttempt(test, test.errors.length > 0);
    const late = this.#shownLater.get(test);
    if (late === undefined) return;
    this.#shownLater.delete(test);
    this.#show(test, late);
  }

  /** What concurrent tests of Jest 29 have to show, until circus knows that they have failed. */
  readonly #shownLater = new Map<CircusTest, string>();

  /** Never throws: an error in an event handler would fail the whole file. */
  async #endAttempt(test: CircusTest, failed: boolean): Promise<void> {
    const attempt = this.#attempts.get(test);
    if (attempt === undefined) return;
    this.#attempts.delete(test);
    try {
      await attempt.end({ failed }, (text) => {
        if (test.concurrent) this.#shownLater.set(test, text);
        else this.#show(test, text);
      });
    } catch (error) {
      test.errors.push(error);
    }
  }

  #show(test: CircusTest, text: string): void {
    if (!addToErrors(test.errors, text)) this.#print(text);
  }
}

// What of jest-circus we touch, as it is in both 29.7 and 30: its own types come with a package that
// a user need not have.

/** A test as circus keeps it. */
export interface CircusTest {
  readonly type: "test";
  readonly name: string;
  readonly parent: DescribeBlock;
  readonly concurrent: boolean;
  /** Of the test, or else of the describe around it. */
  readonly mode?: CircusMode;
  /** Milliseconds; undefined means the file's. */
  readonly timeout?: number | undefined;
  /** Made where the test is defined, for its location. */
  readonly asyncError: Error;
  /** Each is an error or a pair of one and a fallback for its stack. */
  errors: unknown[];
  fn: TestFunction | undefined;
}

type CircusMode = "only" | "skip" | "todo" | undefined | null;

export interface DescribeBlock {
  readonly type: "describeBlock";
  readonly name: string;
  readonly mode?: CircusMode;
  readonly parent?: DescribeBlock | undefined;
  readonly children: readonly (CircusTest | DescribeBlock)[];
  readonly hooks: readonly CircusHook[];
}

export interface CircusHook {
  readonly type: "beforeAll" | "beforeEach" | "afterEach" | "afterAll";
  readonly parent: DescribeBlock;
  /** Made where the hook was defined. */
  readonly asyncError: Error;
  fn: TestFunction;
}

export interface CircusState {
  readonly rootDescribeBlock: DescribeBlock;
  readonly currentDescribeBlock: DescribeBlock;
  readonly currentlyRunningTest: CircusTest | null;
  readonly hasStarted: boolean;
  /** There is an `only` in the file. */
  readonly hasFocusedTests: boolean;
  /** As `-t` has it. */
  readonly testNamePattern?: RegExp | undefined | null;
  /** Milliseconds. */
  readonly testTimeout: number;
}

/** The events that we answer; there are more. */
export type CircusEvent =
  | { readonly name: "setup"; readonly runtimeGlobals: { readonly test: GlobalTest } }
  | { readonly name: "add_test"; readonly fn: TestFunction }
  | { readonly name: "add_hook"; readonly fn: TestFunction }
  | { readonly name: "test_start"; readonly test: CircusTest }
  | { readonly name: "test_done"; readonly test: CircusTest }
  | { readonly name: "run_finish" };

/** A user's function, whatever it takes. */
export type TestFunction = (this: unknown, ...args: unknown[]) => unknown;

type Register = (name: string, fn: TestFunction, timeout?: number) => unknown;

/** A variant of `test`, with the variants below it. */
export interface GlobalTest {
  (name: string, fn: TestFunction, timeout?: number): unknown;
  each?: (table: unknown, ...data: readonly unknown[]) => Register;
  readonly only?: GlobalTest;
  readonly skip?: GlobalTest;
  readonly failing?: GlobalTest;
  readonly concurrent?: GlobalTest;
}

const ROOT = "ROOT_DESCRIBE_BLOCK";

/** `describe > describe > test`, as everywhere in tidybox. */
export function fullName(test: CircusTest): string {
  return namesOf(test).join(" > ");
}

/** Whether circus will not pass over it. Known once all tests of the file are defined. */
export function willRun(test: CircusTest, state: CircusState): boolean {
  const { hasFocusedTests, testNamePattern } = state;
  const mode = test.mode ?? undefined;
  if (test.parent.mode === "skip" || mode === "skip" || mode === "todo") return false;
  if (hasFocusedTests && mode === undefined) return false;
  return !testNamePattern || testNamePattern.test(namesOf(test).join(" "));
}

function namesOf(test: CircusTest): readonly string[] {
  const names = [test.name];
  for (let block: DescribeBlock | undefined = test.parent; block; block = block.parent) {
    if (block.name !== ROOT) names.unshift(block.name);
  }
  return names;
}

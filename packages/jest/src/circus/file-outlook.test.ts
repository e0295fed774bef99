import type { SandboxOptions } from "@tidybox/client";
import { expect, test } from "vitest";
import type { CircusState, CircusTest, DescribeBlock } from "./circus.ts";
import { FileOutlook } from "./file-outlook.ts";
import type { Wanted } from "./parameters.ts";

const SANDBOX: Wanted = { kind: "named", names: ["sandbox", "run"] };
const CREATE: Wanted = { kind: "named", names: ["createSandbox"] };
const OTHERS: Wanted = { kind: "named", names: ["session", "run"] };
const UNREADABLE: Wanted = { kind: "unreadable" };

/** As jest-circus keeps it, once all tests are defined. */
interface Block extends DescribeBlock {
  readonly children: (CircusTest | Block)[];
}

/** A file as its tests define it. */
class TestFile {
  readonly options = new Map<DescribeBlock, readonly SandboxOptions[]>();
  readonly outlook = new FileOutlook((inner) => this.#optionsIn(inner));
  readonly root: Block = block("ROOT_DESCRIBE_BLOCK");

  state(more: Partial<CircusState> = {}): CircusState {
    return {
      rootDescribeBlock: this.root,
      currentDescribeBlock: this.root,
      currentlyRunningTest: null,
      hasStarted: true,
      hasFocusedTests: false,
      testNamePattern: null,
      testTimeout: 5000,
      ...more,
    };
  }

  describe(name: string, parent: Block = this.root, more: Partial<Block> = {}): Block {
    const made = block(name, { parent, mode: parent.mode, ...more });
    parent.children.push(made);
    return made;
  }

  test(name: string, wanted?: Wanted, more: Partial<CircusTest> = {}): CircusTest {
    const parent = (more.parent ?? this.root) as Block;
    const made: CircusTest = {
      type: "test",
      concurrent: false,
      asyncError: new Error(name),
      errors: [],
      fn: () => {},
      mode: parent.mode,
      ...more,
      ...{ name, parent },
    };
    parent.children.push(made);
    if (wanted !== undefined) this.outlook.testWants(made, wanted);
    return made;
  }

  #optionsIn(inner: DescribeBlock): readonly SandboxOptions[] {
    const layers: SandboxOptions[] = [];
    for (let each: DescribeBlock | undefined = inner; each; each = each.parent)
      layers.unshift(...(this.options.get(each) ?? []));
    return layers;
  }
}

function block(name: string, more: Partial<Block> = {}): Block {
  return { type: "describeBlock", name, children: [], hooks: [], ...more };
}

const exactly = (testsBegun: number, testsLeft: number) => ({
  testsBegun,
  testsLeft,
  certain: true,
});

test("tests that ask for no sandbox are none of those that are left", () => {
  const file = new TestFile();
  const first = file.test("first", SANDBOX);
  const plain = file.test("plain");
  const others = file.test("of the worker", OTHERS);
  const last = file.test("hidden by a transpiler", UNREADABLE);
  const state = file.state();
  file.outlook.begins(first, state);
  expect(file.outlook.of(first, "sandbox", state)).toEqual(exactly(1, 1));
  file.outlook.begins(plain, state);
  file.outlook.begins(others, state);
  file.outlook.begins(last, state);
  expect(file.outlook.of(last, "sandbox", state)).toEqual(exactly(4, 0));
});

test("skipped tests, todos and tests in a skipped describe do not count", () => {
  const file = new TestFile();
  const first = file.test("first", SANDBOX);
  const skipped = file.test("skipped", SANDBOX, { mode: "skip" });
  file.test("todo", SANDBOX, { mode: "todo" });
  const outer = file.describe("skipped describe", file.root, { mode: "skip" });
  file.test("in it", SANDBOX, { parent: outer });
  file.test("focused in it", SANDBOX, { parent: outer, mode: "only" });
  file.test("in one in it", SANDBOX, { parent: file.describe("inner", outer) });
  const state = file.state();
  file.outlook.begins(skipped, state);
  file.outlook.begins(first, state);
  expect(file.outlook.of(first, "sandbox", state)).toEqual(exactly(1, 0));
});

test("only and -t have their say", () => {
  const file = new TestFile();
  const focused = file.test("one of them", SANDBOX, { mode: "only" });
  const only = file.describe("only", file.root, { mode: "only" });
  file.test("another of them", SANDBOX, { parent: only });
  file.test("not focused", SANDBOX);
  const state = file.state({ hasFocusedTests: true });
  file.outlook.begins(focused, state);
  expect(file.outlook.of(focused, "sandbox", state)).toEqual(exactly(1, 1));

  const named = new TestFile();
  const first = named.test("first", SANDBOX);
  const inner = named.describe("inner");
  named.test("second", SANDBOX, { parent: inner });
  named.test("third", SANDBOX, { parent: inner });
  const filtered = named.state({ testNamePattern: /^first$|^inner second$/i });
  named.outlook.begins(first, filtered);
  expect(named.outlook.of(first, "sandbox", filtered)).toEqual(exactly(1, 1));
});

test("tests with other options are others; the same options in another describe are the same", () => {
  const file = new TestFile();
  const one = file.describe("one");
  const two = file.describe("two");
  const three = file.describe("three");
  const four = file.describe("four");
  const content = (text: string) => ({ files: { "/a": new TextEncoder().encode(text) } });
  file.options.set(one, [content("x")]);
  file.options.set(two, [content("x")]);
  file.options.set(three, [content("y")]);
  const first = file.test("first", SANDBOX, { parent: one });
  file.test("second", SANDBOX, { parent: one });
  file.test("the same", SANDBOX, { parent: two });
  const other = file.test("another", SANDBOX, { parent: three });
  const plain = file.test("plain", SANDBOX, { parent: four });
  file.test("plain as well", SANDBOX);
  const state = file.state();
  file.outlook.begins(first, state);
  expect(file.outlook.of(first, "sandbox", state)).toEqual(exactly(1, 2));
  file.outlook.begins(other, state);
  expect(file.outlook.of(other, "sandbox", state)).toEqual(exactly(2, 0));
  file.outlook.begins(plain, state);
  expect(file.outlook.of(plain, "sandbox", state)).toEqual(exactly(3, 1));
});

test("a hook of each test asks for every test below it, but not for concurrent ones", () => {
  const file = new TestFile();
  const hooked = file.describe("hooked");
  file.outlook.hookWants(hooked, SANDBOX);
  const first = file.test("first", undefined, { parent: hooked });
  file.test("deeper", undefined, { parent: file.describe("inner", hooked) });
  file.test("concurrent", undefined, { parent: hooked, concurrent: true });
  file.test("outside");
  const state = file.state();
  file.outlook.begins(first, state);
  expect(file.outlook.of(first, "sandbox", state)).toEqual(exactly(1, 1));
});

test("of createSandbox nobody knows how often: all that may ask are the most", () => {
  const file = new TestFile();
  const first = file.test("first", CREATE);
  file.test("plain");
  file.test("with a sandbox", SANDBOX);
  file.test("with both", UNREADABLE);
  const last = file.test("last", CREATE);
  const state = file.state();
  file.outlook.begins(first, state);
  expect(file.outlook.of(first, "createSandbox", state)).toEqual({
    testsBegun: 1,
    testsLeft: 3,
    certain: false,
  });
  expect(file.outlook.of(first, "sandbox", state)).toEqual(exactly(1, 2));
  file.outlook.begins(last, state);
  expect(file.outlook.of(last, "createSandbox", state).testsLeft).toBe(2);
});

test("a retry is the same test, and options that cannot be written are nobody else's", () => {
  const file = new TestFile();
  const odd: Record<string, unknown> = {};
  odd["environment"] = odd;
  const describes = [file.describe("one"), file.describe("two")] as const;
  for (const each of describes) file.options.set(each, [odd as SandboxOptions]);
  const first = file.test("first", SANDBOX, { parent: describes[0] });
  file.test("second", SANDBOX, { parent: describes[0] });
  file.test("elsewhere", SANDBOX, { parent: describes[1] });
  const state = file.state();
  file.outlook.begins(first, state);
  expect(file.outlook.of(first, "sandbox", state)).toEqual(exactly(1, 1));
  file.outlook.begins(first, state);
  expect(file.outlook.of(first, "sandbox", state)).toEqual(exactly(1, 1));
});

import type { Outlook, TestSandboxOptions } from "@tidybox/fixtures";
import type { AskingFixture } from "../file-fixtures.ts";
import { type CircusState, type CircusTest, type DescribeBlock, willRun } from "./circus.ts";
import type { Wanted } from "./parameters.ts";

/** What of a test's function, or of a hook around it, may lead to a sandbox. */
interface Wish {
  /** A sandbox for sure. */
  readonly sandbox: boolean;
  /** As many as it likes, none among them. */
  readonly createSandbox: boolean;
}

/** Tests that have not begun, whose `sandbox` is made with the same options. */
interface Group {
  left: number;
}

/**
 * Which tests of a file are still to ask for a sandbox. It is worked out when the first one asks: a
 * file without fixtures pays nothing for it.
 */
export class FileOutlook {
  readonly #optionsIn: (block: DescribeBlock) => readonly TestSandboxOptions[];
  readonly #ofTests = new Map<CircusTest, Wish>();
  readonly #ofHooks = new Map<DescribeBlock, Wish>();
  readonly #begun = new Set<CircusTest>();
  readonly #groups = new Map<string, Group>();
  readonly #groupsOfBlocks = new Map<DescribeBlock, Group>();
  /** Those that have not begun and may ask; undefined as long as none has asked. */
  #left: Map<CircusTest, Wish> | undefined;

  /** @param optionsIn the sandbox options of a describe, the outermost first */
  constructor(optionsIn: (block: DescribeBlock) => readonly TestSandboxOptions[]) {
    this.#optionsIn = optionsIn;
  }

  /** To be told when it is defined. */
  testWants(test: CircusTest, wanted: Wanted): void {
    this.#ofTests.set(test, wishOf(wanted));
  }

  /** Of a beforeEach or afterEach: they are called for every test below, and share its sandbox. */
  hookWants(block: DescribeBlock, wanted: Wanted): void {
    this.#ofHooks.set(block, both(this.#ofHooks.get(block), wishOf(wanted)));
  }

  /** To be told when a test begins, and for each retry; also of one that circus passes over. */
  begins(test: CircusTest, state: CircusState): void {
    if (this.#ofTests.size + this.#ofHooks.size === 0) return;
    if (this.#begun.has(test) || !willRun(test, state)) return;
    this.#begun.add(test);
    const wish = this.#left?.get(test);
    if (wish === undefined) return;
    this.#left?.delete(test);
    if (wish.sandbox) this.#groupOf(test.parent).left -= 1;
  }

  /**
   * What is still to come when a test asks. Of those that want `sandbox` it is known which options
   * they will ask with; who has `createSandbox` asks as often and with what it likes.
   */
  of(test: CircusTest, fixture: AskingFixture, state: CircusState): Outlook {
    const left = (this.#left ??= this.#countLeft(state));
    const certain = fixture === "sandbox";
    return {
      testsBegun: this.#begun.size,
      testsLeft: certain ? this.#groupOf(test.parent).left : left.size,
      certain,
    };
  }

  #countLeft(state: CircusState): Map<CircusTest, Wish> {
    const left = new Map<CircusTest, Wish>();
    const visit = (block: DescribeBlock, around: Wish | undefined): void => {
      const ofHooks = both(around, this.#ofHooks.get(block));
      for (const child of block.children) {
        if (child.type === "describeBlock") {
          visit(child, ofHooks);
          continue;
        }
        // Jest calls no such hooks around concurrent tests.
        const wish = both(this.#ofTests.get(child), child.concurrent ? undefined : ofHooks);
        if (!wish.sandbox && !wish.createSandbox) continue;
        if (this.#begun.has(child) || !willRun(child, state)) continue;
        left.set(child, wish);
        if (wish.sandbox) this.#groupOf(child.parent).left += 1;
      }
    };
    visit(state.rootDescribeBlock, undefined);
    return left;
  }

  #groupOf(block: DescribeBlock): Group {
    const known = this.#groupsOfBlocks.get(block);
    if (known !== undefined) return known;
    const key = textOf(this.#optionsIn(block));
    // What cannot be compared is taken for different.
    const group = (key === undefined ? undefined : this.#groups.get(key)) ?? { left: 0 };
    if (key !== undefined) this.#groups.set(key, group);
    this.#groupsOfBlocks.set(block, group);
    return group;
  }
}

function wishOf(wanted: Wanted): Wish {
  switch (wanted.kind) {
    case "nothing":
      return { sandbox: false, createSandbox: false };
    case "unreadable":
      // It is given all of them, a sandbox among them.
      return { sandbox: true, createSandbox: true };
    case "named":
      return {
        sandbox: wanted.names.includes("sandbox"),
        createSandbox: wanted.names.includes("createSandbox"),
      };
  }
}

function both(one: Wish | undefined, other: Wish | undefined): Wish {
  return {
    sandbox: one?.sandbox === true || other?.sandbox === true,
    createSandbox: one?.createSandbox === true || other?.createSandbox === true,
  };
}

/** Undefined where it has none. */
function textOf(options: readonly TestSandboxOptions[]): string | undefined {
  try {
    return JSON.stringify(
      options.filter((layer) => Object.keys(layer).length > 0),
      (_, value: unknown) =>
        ArrayBuffer.isView(value)
          ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64")
          : value,
    );
  } catch {
    return undefined;
  }
}

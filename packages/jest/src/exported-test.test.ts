import { expect, test } from "vitest";
import type { GlobalTest, TestFunction } from "./circus/circus.ts";
import { type Definition, decorateTest } from "./exported-test.ts";

type Call = readonly [variant: string, ...args: unknown[]];

/** A `test` in the shape of circus', which writes down what it is asked to define. */
function frameworksTest(): { readonly test: GlobalTest; readonly calls: Call[] } {
  const calls: Call[] = [];
  const make = (name: string, below: readonly string[]): GlobalTest => {
    const variant = (...args: unknown[]): unknown => calls.push([name, ...args]);
    const each = (table: unknown) => (title: string, fn: TestFunction, timeout?: number) =>
      calls.push([`${name}.each`, table, title, fn, timeout]);
    const todo = (title: string): unknown => calls.push([`${name}.todo`, title]);
    const variants = below.map((key) => [
      key,
      make(`${name}.${key}`, key === "concurrent" ? ["only", "skip", "failing"] : []),
    ]);
    return Object.assign(
      variant,
      { each, todo, retries: 3 },
      Object.fromEntries(variants),
    ) as GlobalTest;
  };
  return { test: make("test", ["only", "skip", "failing", "concurrent"]), calls };
}

const body: TestFunction = () => {};
const other: TestFunction = () => {};

function decorated(): {
  readonly test: GlobalTest;
  readonly calls: Call[];
  readonly seen: Definition[];
} {
  const { test: original, calls } = frameworksTest();
  const seen: Definition[] = [];
  const ours = decorateTest(original, (definition) => {
    seen.push(definition);
    return definition.define(other);
  });
  return { test: ours, calls, seen };
}

test.each<[string, (test: GlobalTest) => GlobalTest | undefined, boolean]>([
  ["test", (it) => it, false],
  ["test.only", (it) => it.only, false],
  ["test.skip", (it) => it.skip, false],
  ["test.failing", (it) => it.failing, false],
  ["test.concurrent", (it) => it.concurrent, true],
  ["test.concurrent.only", (it) => it.concurrent?.only, true],
  ["test.concurrent.failing", (it) => it.concurrent?.failing, true],
])("sends definitions of %s, and of its each, through us", (name, variant, isConcurrent) => {
  const { test: ours, calls, seen } = decorated();
  variant(ours)?.("title", body, 7);
  variant(ours)?.each?.([[1]])("row %s", body, 8);
  expect(seen).toMatchObject([
    { name: "title", fn: body, isConcurrent },
    { name: "row %s", fn: body, isConcurrent, table: [[1]] },
  ]);
  expect(seen[0]).not.toHaveProperty("table");
  expect(calls).toEqual([
    [name, "title", other, 7],
    [`${name}.each`, [[1]], "row %s", other, 8],
  ]);
});

test("leaves a todo and what is no function as they are", () => {
  const { test: ours, calls, seen } = decorated();
  (Reflect.get(ours, "todo") as (title: string) => void)("later");
  expect(Reflect.get(ours, "retries")).toBe(3);
  expect(Reflect.get(ours, "no such variant")).toBeUndefined();
  expect(calls).toEqual([["test.todo", "later"]]);
  expect(seen).toEqual([]);
});

test("hands a template's values on", () => {
  const tables: unknown[][] = [];
  const original = Object.assign(() => {}, {
    each: (...table: unknown[]) => {
      tables.push(table);
      return () => "registered";
    },
  }) as unknown as GlobalTest;
  const ours = decorateTest(original, ({ define, fn }) => define(fn));
  const strings = Object.assign(["a\n", "\n"], { raw: ["a\n", "\n"] });
  expect(ours.each?.(strings, 1)("t", body)).toBe("registered");
  expect(tables).toEqual([[strings, 1]]);
});

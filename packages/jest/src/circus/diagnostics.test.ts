import { Script, createContext } from "node:vm";
import { expect, test } from "vitest";
import { addToErrors } from "./diagnostics.ts";

const DIAGNOSTICS = "sandbox sb-1: $& ran `false`: 1";

function added(errors: unknown[]): unknown {
  expect(addToErrors(errors, DIAGNOSTICS)).toBe(true);
  return errors.at(-1);
}

test("says that there is no error to add to", () => {
  const errors: unknown[] = [];
  expect(addToErrors(errors, DIAGNOSTICS)).toBe(false);
  expect(errors).toEqual([]);
});

test("adds to message and stack of the last error, and keeps its frames and its class", () => {
  const first = new Error("first");
  const last = new TypeError("it broke\nin two lines");
  const frames = last.stack?.split("\n").slice(2);
  expect(added([first, last])).toBe(last);
  expect(last.message).toBe(`it broke\nin two lines\n\n${DIAGNOSTICS}`);
  expect(last.stack?.split("\n")).toEqual([
    ...["TypeError: it broke", "in two lines", "", DIAGNOSTICS],
    ...(frames ?? []),
  ]);
  expect(first.message).toBe("first");
});

test("adds to the error of a pair", () => {
  const error = new Error("x");
  added([[error, new Error("where the test stands")]]);
  expect(error.message).toBe(`x\n\n${DIAGNOSTICS}`);
});

test("adds to an error of the tests' realm", () => {
  const error = new Script("new Error('x')").runInContext(createContext()) as Error;
  added([error]);
  expect(error.stack).toContain(`Error: x\n\n${DIAGNOSTICS}`);
});

test("adds to an error whose stack does not begin with its message", () => {
  const error = new Error("old");
  expect(error.stack).toContain("old");
  error.message = "new";
  added([error]);
  expect(error.stack).toContain(`Error: new\n\n${DIAGNOSTICS}\n    at `);
});

test("adds to an error without a message, and leaves it its name", () => {
  const error = new RangeError();
  added([error]);
  expect(error.message).toBe(DIAGNOSTICS);
  expect(error.stack).toMatch(/^RangeError: sandbox sb-1/);
  expect(error.stack).toContain("\n    at ");
});

test("adds to an error without a stack", () => {
  const error = new Error("x");
  delete error.stack;
  added([error]);
  expect(error.message).toBe(`x\n\n${DIAGNOSTICS}`);
});

test("adds to one that nobody may write to, by way of another", () => {
  const error = Object.freeze(new Error("x"));
  const after = added([error]) as Error;
  expect(after.message).toBe(`x\n\n${DIAGNOSTICS}`);
  expect(after.cause).toBe(error);
  expect(after.stack).toContain(`Error: x\n\n${DIAGNOSTICS}`);
  expect(error.message).toBe("x");
});

test.each([
  ["text", "text"],
  [undefined, "undefined"],
  [42, "42"],
  [Symbol("s"), "Symbol(s)"],
  [{ a: 1 }, "{ a: 1 }"],
])("makes an error of %s that was thrown, at the place of the test", (thrown, shown) => {
  const location = new Error("");
  location.stack = "Error: \n    at user.test.ts:3:1";
  const error = added([[thrown, location]]) as Error;
  expect(error.message).toBe(`${shown}\n\n${DIAGNOSTICS}`);
  expect(error.stack).toBe(`Error: ${shown}\n\n${DIAGNOSTICS}\n    at user.test.ts:3:1`);
});

test.each([[null], [Object.create(null)]])(
  "makes an error of %o that was thrown",
  (thrown: unknown) => {
    expect((added([[thrown, new Error("here")]]) as Error).message).toContain(DIAGNOSTICS);
  },
);

import { beforeEach, describe, expect, test } from "vitest";
import { outlookOf, testBegins } from "./outlook.ts";

// The file is its own example: it looks at what Vitest has made of it. Skips, todos and filters are in
// test/lifecycle/outlook.test.ts.
beforeEach(({ task }) => {
  testBegins(task);
});

const shape = (testsBegun: number, testsLeft: number) => ({
  testsBegun,
  testsLeft,
  certain: false,
});

test("the first has begun, and all others are left", ({ task }) => {
  expect(outlookOf(task)).toEqual(shape(1, 7));
});

test.each([3, 4])("each case is a test (%i)", (begun) => {
  expect(begun).toBeGreaterThan(0);
});

let attempts = 0;
test("a retry and a repeat are the same test", { retry: 2, repeats: 1 }, ({ task }) => {
  attempts += 1;
  expect(outlookOf(task)).toEqual(shape(4, 4));
  if (attempts < 2) throw new Error("once more");
});

describe.concurrent("at once", () => {
  test("they have all begun (one)", async ({ task }) => {
    await Promise.resolve();
    expect(outlookOf(task)).toEqual(shape(6, 2));
  });
  test("they have all begun (two)", async ({ task }) => {
    await Promise.resolve();
    expect(outlookOf(task)).toEqual(shape(6, 2));
  });
});

test("the last but one", ({ task }) => {
  expect(outlookOf(task)).toEqual(shape(7, 1));
});

test("the last", ({ task }) => {
  expect(outlookOf(task)).toEqual(shape(8, 0));
});

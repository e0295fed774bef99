import { describe, expect, test } from "vitest";
import { boundOf, type SuiteShape } from "./bound.ts";

const SHAPE: SuiteShape = {
  ...{ tests: 3, workers: 1, slots: 1 },
  ...{ createSeconds: 2, testSeconds: 0.5, stopSeconds: 1 },
  ...{ firstTestSeconds: 0, coordinatorSeconds: 0, exitSeconds: 0 },
};

test("with one slot each sandbox comes after the end of the last one", () => {
  expect(boundOf(SHAPE, "warm").wholeSeconds).toBe(10.5);
  expect(boundOf(SHAPE, "cold").wholeSeconds).toBe(10.5);
});

test("with enough slots only the first test waits for a warm one, and each for a cold one", () => {
  const shape = { ...SHAPE, slots: 8 };
  expect(boundOf(shape, "warm").wholeSeconds).toBe(2 + 3 * 0.5 + 1);
  expect(boundOf(shape, "cold").wholeSeconds).toBe(3 * 2.5 + 1);
  expect(boundOf(shape, "by hand").wholeSeconds).toBe(3 * 3.5);
});

test("creates begin with the coordinator, tests with their workers, and the framework takes its end", () => {
  const shape = { ...SHAPE, slots: 8, coordinatorSeconds: 1, firstTestSeconds: 5, exitSeconds: 3 };
  expect(boundOf(shape, "warm")).toEqual({ wholeSeconds: 5 + 1.5 + 3, testsSeconds: 1.5 });
  expect(boundOf(shape, "cold")).toEqual({ wholeSeconds: 5 + 7.5 + 3, testsSeconds: 7.5 });
  expect(boundOf(shape, "by hand")).toEqual({ wholeSeconds: 5 + 10.5 + 3, testsSeconds: 10.5 });
});

describe.each([8, 16, 64])("%i slots", (slots) => {
  test.each([0.3, 2, 10])("creates of %f s", (createSeconds) => {
    const shape = { ...SHAPE, tests: 200, workers: 4, slots, createSeconds };
    const { testSeconds, stopSeconds } = shape;
    const warm = boundOf(shape, "warm").wholeSeconds;
    // No less than the slots and the workers allow.
    const bySlots = Math.ceil(200 / slots) * (createSeconds + testSeconds + stopSeconds);
    expect(warm).toBeGreaterThanOrEqual(bySlots - 1e-6);
    expect(warm).toBeGreaterThanOrEqual(createSeconds + 50 * testSeconds - 1e-6);
    expect(warm).toBeLessThanOrEqual(boundOf(shape, "cold").wholeSeconds);
    expect(boundOf(shape, "cold").wholeSeconds).toBeLessThanOrEqual(
      boundOf(shape, "by hand").wholeSeconds + 1e-6,
    );
  });
});

/** `jest.retryTimes`: each attempt has a sandbox of its own. */
import { jest } from "@jest/globals";

jest.retryTimes(2);

const attempts = { fixtures: [], hook: [], row: [], done: 0, neither: 0 };

test("with fixtures", async ({ sandbox }) => {
  attempts.fixtures.push(sandbox.id);
  expect(attempts.fixtures).toHaveLength(3);
  expect((await sandbox.exec(["true"])).exitCode).toBe(0);
});

test.each([["a"]])("with rows: %s", async (value, { sandbox }) => {
  attempts.row.push(`${value} ${sandbox.id}`);
  expect(attempts.row).toHaveLength(2);
});

test("with done", (done) => {
  attempts.done += 1;
  done(attempts.done < 3 ? new Error("once more") : undefined);
});

test("with neither", () => {
  attempts.neither += 1;
  expect(attempts.neither).toBe(3);
});

describe("in a hook", () => {
  beforeEach(async ({ sandbox }) => {
    attempts.hook.push(sandbox.id);
  });
  test("with fixtures", async ({ sandbox }) => {
    expect(attempts.hook.at(-1)).toBe(sandbox.id);
    expect(attempts.hook).toHaveLength(2);
  });
});

test("each attempt had its own", () => {
  expect(new Set(attempts.fixtures).size).toBe(3);
  expect(new Set(attempts.row).size).toBe(2);
  expect(new Set(attempts.hook).size).toBe(2);
});

import { expect, test } from "vitest";
import { hideFrames } from "./frames.ts";

function anError(): Error {
  const error = new Error("");
  error.stack = "Error\n    at ours (/ours/dist/a.js:1:1)\n    at theirs (/theirs/a.test.js:2:2)";
  return error;
}

test("frames of the folder are gone, the others stay", () => {
  const error = anError();
  hideFrames(error, "/ours/");
  expect(error.stack).toBe("Error\n    at theirs (/theirs/a.test.js:2:2)");
});

test("a message that comes later is in the stack, also when it was hidden twice", () => {
  const error = anError();
  hideFrames(error, "/ours/");
  hideFrames(error, "/ours/");
  error.message = "Exceeded timeout";
  expect(error.stack).toBe("Error: Exceeded timeout\n    at theirs (/theirs/a.test.js:2:2)");
});

test("a stack that is given later is kept", () => {
  const error = anError();
  hideFrames(error, "/ours/");
  error.stack = "another";
  expect(error.stack).toBe("another");
});

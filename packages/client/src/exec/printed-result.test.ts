import { inspect } from "node:util";
import { expect, test } from "vitest";
import { printedShort } from "./printed-result.ts";

const result = {
  command: ["echo", "a"],
  exitCode: 0,
  stdout: "a\n",
  stderr: "",
  stdoutBytes: new Uint8Array([97, 10]),
  stderrBytes: new Uint8Array(),
  stdoutTruncated: false,
  stderrTruncated: false,
  stdoutBytesProduced: 2,
  stderrBytesProduced: 0,
  durationSeconds: 0.0123456,
};

test("a result is printed without its bytes, and with what was cut off only if it was", () => {
  const printed = inspect(printedShort({ ...result }));
  expect(printed).toBe(
    "{\n  command: [ 'echo', 'a' ],\n  exitCode: 0,\n  stdout: 'a\\n',\n  stderr: '',\n  durationSeconds: 0.012\n}",
  );
  const cut = printedShort({ ...result, stdoutTruncated: true, stdoutBytesProduced: 99 });
  expect(inspect({ cut })).toContain("stdoutBytesProduced: 99");
});

test("it is the same result to whoever copies, compares or serializes it", () => {
  const printed = printedShort({ ...result });
  expect(printed).toStrictEqual(result);
  expect(Reflect.ownKeys({ ...printed })).toEqual(Reflect.ownKeys(result));
  expect(structuredClone(printed)).toEqual(result);
});

import { expect, test } from "vitest";
import { argumentsOfCase } from "./rows.ts";

function template(strings: TemplateStringsArray, ..._values: readonly unknown[]): unknown {
  return strings;
}

test.each<[string, unknown, number]>([
  [
    "rows of two",
    [
      [1, 2],
      [3, 4],
    ],
    2,
  ],
  ["rows of different lengths: that of the longest", [[1], [2, 3, 4]], 3],
  ["values", [1, 2], 1],
  ["objects", [{ a: 1 }], 1],
  ["rows beside values: each is one argument", [[1, 2], 3], 1],
  ["arrays of arrays as rows", [[[1, 2, 3]]], 1],
  ["no rows", [], 0],
  ["a template", template`a | b ${1} | ${2}`, 1],
])("counts the arguments of %s", (_, table, expected) => {
  expect(argumentsOfCase(table)).toBe(expected);
});

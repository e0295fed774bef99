import { expect, test } from "vitest";
import { entryPath, linkStaysInside } from "./entry-path.ts";

test.each([
  ["./", ""],
  [".", ""],
  ["./a/b", "a/b"],
  ["a//b/", "a/b"],
  ["..a/b..", "..a/b.."],
  ["../a", undefined],
  ["a/../../b", undefined],
  ["a/..", undefined],
  ["/etc/passwd", undefined],
  ["", undefined],
  ["a\0b", undefined],
])("the entry %j is at %j", (name, path) => {
  expect(entryPath(name)).toBe(path);
});

test.each([
  ["a", "b", true],
  ["a", ".", true],
  ["a/b", "../c", true],
  ["a/b/c", "../../d/e", true],
  ["a/b", "..", true],
  ["a", "..", false],
  ["a", "../x", false],
  ["a/b", "../../x", false],
  ["a", "/etc/passwd", false],
  ["a", "", false],
  // Through a link that leads up, this would be somewhere else than it looks.
  ["a", "deep/link/../..", false],
  ["a/b/c", "../x/../y", false],
])("a link at %j to %j stays inside: %j", (path, target, inside) => {
  expect(linkStaysInside(path, target)).toBe(inside);
});

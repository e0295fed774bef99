import { expect, test } from "vitest";
import { LastLines } from "./last-lines.ts";
import { LineSplitter } from "./line-splitter.ts";

function linesOf(text: string | Uint8Array, pieceBytes: number): string[] {
  const bytes = Buffer.from(text);
  const splitter = new LineSplitter();
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    lines.push(...splitter.push(bytes.subarray(at, at + pieceBytes)));
  }
  const rest = splitter.end();
  return rest === undefined ? lines : [...lines, rest];
}

test.for([1, 2, 3, 7, 1000])("lines are the same however the bytes come, %i at a time", (size) => {
  const text = "a\n\nzwölf €uro 🎉\r\n\uFEFFb\nlast";
  expect(linesOf(text, size)).toEqual(text.split("\n"));
  expect(linesOf("a\n", size)).toEqual(["a"]);
});

test.for([1000, 64 * 1024, 200_000])("long lines come in pieces, %i bytes at a time", (size) => {
  const limit = 64 * 1024;
  const long = "€".repeat(50_000);
  const lines = linesOf(`${long}\nshort\n${"x".repeat(limit)}\n${"y".repeat(limit)}`, size);
  expect(lines.join("")).toBe(`${long}short${"x".repeat(limit)}${"y".repeat(limit)}`);
  expect(lines.slice(-3).map((line) => line.length)).toEqual([5, limit, limit]);
  for (const line of lines) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(limit + 3);
});

test("what is no UTF-8 is shown as such, and loses no line", () => {
  expect(linesOf(Buffer.from([0x61, 0xff, 0x0a, 0xe2, 0x82, 0x0a, 0x62]), 2)).toEqual([
    "a\uFFFD",
    "\uFFFD",
    "b",
  ]);
});

test("the last lines are bounded in number and in characters", () => {
  const last = new LastLines();
  expect(last.lines()).toEqual([]);
  for (let line = 0; line < 100; line += 1) last.push(Buffer.from(`${line}\r\n`));
  expect(last.lines()).toEqual(Array.from({ length: 20 }, (_, index) => String(80 + index)));
  last.push(Buffer.from(`${"\u001b".repeat(3000)}\n`));
  const long = last.lines();
  expect(long).toHaveLength(1);
  expect(long[0]).toMatch(/^…\S*(\\x1b)+$/);
  expect(long[0]?.length).toBeLessThanOrEqual(4097);
});

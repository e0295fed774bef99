import { expect, test } from "vitest";
import { OutputTail } from "./output-tail.ts";

test("keeps the last bytes, across chunks and within one", () => {
  const tail = new OutputTail(5);
  tail.push(Buffer.from("ab"));
  expect(tail.text()).toBe("ab");
  tail.push(Buffer.from("cdef"));
  expect(tail.text()).toBe("bcdef");
  tail.push(Buffer.from("0123456789"));
  expect(tail.text()).toBe("56789");
});

test("holds no more than one chunk beyond its size", () => {
  const tail = new OutputTail(1024);
  for (let count = 0; count < 10_000; count += 1) tail.push(Buffer.alloc(100, "x"));
  tail.push(Buffer.from("end"));
  expect(tail.text()).toBe(`${"x".repeat(1021)}end`);
});

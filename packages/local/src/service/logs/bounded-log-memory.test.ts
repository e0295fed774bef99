import { expect, test } from "vitest";
import { BoundedLogMemory } from "./bounded-log-memory.ts";
import { LineLog } from "./line-log.ts";

const MEBIBYTE = 1024 * 1024;

test("bounds a log, also one of nothing but line ends", () => {
  const memory = new BoundedLogMemory({ maxLogBytes: MEBIBYTE });
  for (const filler of ["\n", "x", "line\n"]) {
    const log = new LineLog(memory);
    for (let count = 0; count < 100; count += 1) log.append(Buffer.alloc(64 * 1024, filler));
    expect(log.costBytes).toBeLessThanOrEqual(MEBIBYTE);
    expect(log.end).toBe(100 * 64 * 1024);
    expect(log.end - log.retainedStart).toBeGreaterThan(MEBIBYTE / 64);
    log.release();
  }
  expect(memory.totalBytes).toBe(0);
});

test("bounds all logs together, at the cost of the largest", () => {
  const memory = new BoundedLogMemory({ maxLogBytes: MEBIBYTE, maxTotalBytes: 4 * MEBIBYTE });
  const large = new LineLog(memory);
  large.append(Buffer.alloc(2 * MEBIBYTE, "x"));
  const little = new LineLog(memory);
  little.append(Buffer.from("only line\n"));
  const others = Array.from({ length: 200 }, () => new LineLog(memory));
  for (let round = 0; round < 40; round += 1) {
    for (const log of others) log.append(Buffer.alloc(1000, "y"));
    expect(memory.totalBytes).toBeLessThanOrEqual(4 * MEBIBYTE);
  }
  expect(little.retainedStart).toBe(0);
  expect(large.costBytes).toBeLessThan(MEBIBYTE / 8);
  for (const log of [large, little, ...others]) log.release();
  expect(memory.totalBytes).toBe(0);
});

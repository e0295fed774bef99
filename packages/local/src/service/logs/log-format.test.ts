import { expect, test } from "vitest";
import { BoundedLogMemory } from "./bounded-log-memory.ts";
import { LineLog } from "./line-log.ts";
import { type LogFormat, PLAIN, startOfWindow, WITH_TIMESTAMPS } from "./log-format.ts";

const ALL = { tailLines: 0, sinceTime: 0 };
const UNTIL_END = { until: Number.POSITIVE_INFINITY };

/** Numbers from 0 to below `limit`, the same for the same seed. */
function randomFrom(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

/** Lines of all kinds: empty ones, long ones, and a last one without an end. */
function randomOutput(random: (limit: number) => number, lines: number): Buffer {
  const parts = Array.from({ length: lines }, (_, index) => {
    const length = random(4) === 0 ? 0 : random(random(20) === 0 ? 9000 : 60);
    return `${index}:${"x".repeat(length)}`.slice(0, length);
  });
  return Buffer.from(`${parts.join("\n")}${random(2) === 0 ? "" : "\n"}`);
}

function logOf(output: Buffer, random: (limit: number) => number, memory = {}): LineLog {
  const log = new LineLog(new BoundedLogMemory(memory));
  for (let at = 0; at < output.length;) {
    const size = 1 + random(3000);
    log.append(output.subarray(at, at + size));
    at += size;
  }
  return log;
}

function readAll(log: LineLog, format: LogFormat, window = ALL, maxBytes = 1000): Buffer {
  const start = startOfWindow(log, window);
  let position = format.positionAt(log, start, 0);
  const parts: Buffer[] = [];
  for (;;) {
    const next = format.render(log, position, { maxBytes, ...UNTIL_END });
    if (next.data.length === 0) return Buffer.concat(parts);
    parts.push(next.data);
    position = next.position;
  }
}

const withoutTimes = (text: Buffer): string =>
  text.toString("latin1").replaceAll(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /gm, "");

test.for([1, 2, 3, 4, 5, 6])("gives back what was written, seed %i", (seed) => {
  const random = randomFrom(seed);
  const output = randomOutput(random, 400);
  const log = logOf(output, random);
  expect(readAll(log, PLAIN).equals(output)).toBe(true);
  expect(withoutTimes(readAll(log, WITH_TIMESTAMPS))).toBe(output.toString("latin1"));
});

test.for([1, 2, 3, 4])("goes on at any byte of what was sent, seed %i", (seed) => {
  const random = randomFrom(seed);
  const log = logOf(randomOutput(random, 60), random);
  for (const format of [PLAIN, WITH_TIMESTAMPS]) {
    for (const window of [ALL, { tailLines: 7, sinceTime: 0 }]) {
      const start = startOfWindow(log, window);
      const sent = readAll(log, format, window);
      for (let offset = 0; offset <= sent.length; offset += 1 + random(13)) {
        const position = format.positionAt(log, start, offset);
        const { data } = format.render(log, position, { maxBytes: 40, ...UNTIL_END });
        expect(data.toString("latin1")).toBe(
          sent.subarray(offset, offset + data.length).toString("latin1"),
        );
        expect(data.length === 0).toBe(offset === sent.length);
      }
    }
  }
});

test("begins with the last lines, of which one without an end is one", () => {
  const random = randomFrom(7);
  const window = (tailLines: number) => ({ tailLines, sinceTime: 0 });
  const log = logOf(Buffer.from("a\n\nb\nc"), random);
  expect(readAll(log, PLAIN, window(1)).toString()).toBe("c");
  expect(readAll(log, PLAIN, window(3)).toString()).toBe("\nb\nc");
  expect(readAll(log, PLAIN, window(9)).toString()).toBe("a\n\nb\nc");
  log.append(Buffer.from("!\n"));
  expect(readAll(log, PLAIN, window(1)).toString()).toBe("c!\n");
});

test("begins with the first line of a time, and in the future with what comes then", async () => {
  const log = new LineLog(new BoundedLogMemory());
  log.append(Buffer.from("old\nunfinished"));
  const sinceTime = log.timeOf(1) + 1;
  while (Date.now() < sinceTime) await new Promise((resolve) => setTimeout(resolve, 1));
  const start = startOfWindow(log, { tailLines: 0, sinceTime });
  log.append(Buffer.from(" and its end\nnew\n"));
  for (const format of [PLAIN, WITH_TIMESTAMPS]) {
    const from = format.positionAt(log, start, 0);
    const { data } = format.render(log, from, { maxBytes: 1000, ...UNTIL_END });
    expect(withoutTimes(data)).toBe(" and its end\nnew\n");
  }
  expect(readAll(log, PLAIN, { tailLines: 0, sinceTime }).toString()).toBe("new\n");
  expect(readAll(log, PLAIN, { tailLines: 1, sinceTime: 1 }).toString()).toBe("new\n");
});

test.for([1, 2, 3])("of a log that was cut keeps whole lines, seed %i", (seed) => {
  const random = randomFrom(seed);
  const output = randomOutput(random, 3000);
  const log = logOf(output, random, { maxLogBytes: 16 * 1024 });
  expect(log.costBytes).toBeLessThanOrEqual(16 * 1024);
  expect(log.retainedStart).toBeGreaterThan(0);
  const kept = readAll(log, PLAIN).toString("latin1");
  expect(output.toString("latin1").endsWith(`\n${kept}`)).toBe(true);
  expect(withoutTimes(readAll(log, WITH_TIMESTAMPS))).toBe(kept);
  // What was sent before and is gone now is known to be gone.
  const start = { offset: 0, line: 0 };
  for (const format of [PLAIN, WITH_TIMESTAMPS]) {
    expect(format.positionAt(log, start, 100).offset).toBeLessThan(log.retainedStart);
  }
});

test("of a line that is longer than all that is kept, keeps the end", () => {
  const log = new LineLog(new BoundedLogMemory({ maxLogBytes: 32 * 1024 }));
  for (let part = 0; part < 100; part += 1) log.append(Buffer.alloc(1000, "x"));
  expect(readAll(log, PLAIN).length).toBe(log.end - log.retainedStart);
  expect(withoutTimes(readAll(log, WITH_TIMESTAMPS)).length).toBe(log.end - log.retainedStart);
});

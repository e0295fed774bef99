import { expect, test } from "vitest";
import { findProgram } from "../../packages/local/src/engines/find-program.ts";
import { reportLines } from "./report.ts";
import { RPCS } from "./rpcs.ts";
import { digestOf, fuzz } from "./run.ts";

const SEED = 20_261_125;
const CASES = 50_000;
const MEBIBYTE = 1024 * 1024;

/** What 40,000 cases may add: some hundred records of ended sandboxes, which are kept a while. */
const MAX_MORE_USED_BYTES = 32 * MEBIBYTE;

/** With what the allocator keeps for later: of two messages of 100 MiB at once, for instance. */
const MAX_MORE_RESIDENT_BYTES = 400 * MEBIBYTE;

/** For a machine with much else to do. */
const TIMEOUT_MILLISECONDS = 900_000;

const world = { sandboxIds: ["sb-1", "sb-2"], snapshotIds: ["fss-1"], hostFolder: "/tmp/host" };
const numbers = Array.from({ length: 3000 }, (_, number) => number);

test("a seed makes the same cases again, each of them also alone", () => {
  expect(digestOf(1, numbers, world)).toBe(digestOf(1, numbers, world));
  expect(digestOf(2, numbers, world)).not.toBe(digestOf(1, numbers, world));
  const alone = (seed: number) => digestOf(seed, [1234], world);
  const afterOthers = numbers.map((number) => digestOf(1, [number], world))[1234];
  expect(alone(1)).toBe(afterOthers);
});

test(
  `${CASES} requests that no good client sends leave the service answering, and nothing behind`,
  { timeout: TIMEOUT_MILLISECONDS },
  async (context) => {
    if (findProgram("bwrap") === undefined) context.skip("needs bubblewrap");
    const report = await fuzz({ seed: SEED, cases: CASES });
    for (const line of reportLines(report)) console.log(line);
    expect(report.problems).toEqual([]);
    expect(report.left).toEqual([]);
    expect(report.cases).toBe(CASES);
    expect(RPCS.filter(({ name }) => (report.perRpc.get(name) ?? 0) < 50)).toEqual([]);
    const { memoryBefore: before, memoryAfter: after } = report;
    expect(after.usedBytes - before.usedBytes).toBeLessThan(MAX_MORE_USED_BYTES);
    expect(after.residentBytes - before.residentBytes).toBeLessThan(MAX_MORE_RESIDENT_BYTES);
  },
);

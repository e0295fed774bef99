import { expect, test } from "vitest";
import { allCells, sampleOf, STRIKES } from "./cells.ts";
import type { Strike } from "./strikes/strike.ts";
import { tableOf } from "./table.ts";
import { type Facts, judge } from "./verdict.ts";

const [cell] = allCells().filter(({ strike }) => strike.name === "worker-sigkill");
if (cell === undefined) throw new Error("no cell");

const VICTIM = 11;
const OTHER = 12;

const FINE: Facts = {
  cell: { ...cell, setup: { ...cell.setup, diesWithAWorker: false } },
  seed: 1,
  plan: {
    runId: "chaos-1",
    files: 1,
    testsPerFile: 2,
    workers: 2,
    maxSandboxes: 2,
    pairs: false,
    rounds: 1,
    timeoutSeconds: 45,
    victim: undefined,
    bail: false,
    forceExit: false,
    tinyMemoryLimit: false,
    faults: undefined,
    sleepSeconds: 500_000,
  },
  notes: [
    { kind: "holds", pid: VICTIM, test: "suite-0.0", sandboxIds: ["sb-1"] },
    { kind: "holds", pid: OTHER, test: "suite-0.1", sandboxIds: ["sb-2"] },
    { kind: "done", pid: OTHER, test: "suite-0.1" },
  ],
  hitPids: [VICTIM],
  end: { exitCode: 1, signal: null },
  output:
    "tidybox  run chaos…  2 sandboxes: 1 stopped by tests, 1 reaped after a crash, 0 left   local",
  seconds: 0.1,
  quietSeconds: 0.2,
  remains: { sandboxIds: [], processes: [], sandboxProcesses: [], folders: [], mounts: [] },
  touchedBystanders: [],
  workerSeconds: 1,
  workersLeft: [],
};

test("nothing left and nobody touched is fine", () => {
  const verdict = judge(FINE);
  expect(verdict.problems).toEqual([]);
  expect(verdict).toMatchObject({ ok: true, made: 2, left: 0, touched: 0, seconds: 1 });
});

test.each([
  ["a sandbox", { remains: { ...FINE.remains, sandboxIds: ["sb-9"] } }],
  ["a process", { remains: { ...FINE.remains, processes: [{ pid: 4, command: "node" }] } }],
  [
    "a process in a sandbox",
    { remains: { ...FINE.remains, sandboxProcesses: [{ pid: 4, command: "sleep" }] } },
  ],
  ["a folder", { remains: { ...FINE.remains, folders: ["tidybox-x"] } }],
  ["a mount", { remains: { ...FINE.remains, mounts: ["tmpfs"] } }],
  ["a killed worker's sandbox", { workersLeft: ["sb-1"] }],
] satisfies [string, Partial<Facts>][])("%s that is left fails the cell", (_what, more) => {
  expect(judge({ ...FINE, ...more })).toMatchObject({ ok: false, left: 1, touched: 0 });
});

test("a bystander, or another worker's sandbox, that was touched fails the cell", () => {
  const trouble = { kind: "trouble", test: "suite-0.1", error: "it has ended" } as const;
  expect(judge({ ...FINE, touchedBystanders: ["sb-7: is terminated"] })).toMatchObject({
    ok: false,
    touched: 1,
  });
  const ofOther = judge({ ...FINE, notes: [...FINE.notes, { ...trouble, pid: OTHER }] });
  expect(ofOther).toMatchObject({ ok: false, touched: 1 });
  const ofVictim = judge({ ...FINE, notes: [...FINE.notes, { ...trouble, pid: VICTIM }] });
  expect(ofVictim).toMatchObject({ ok: true, touched: 0 });
});

test("another exit status, no end, and an account that does not add up fail the cell", () => {
  expect(judge({ ...FINE, end: { exitCode: 0, signal: null } }).problems).toEqual([
    "exit 0 where the framework alone gives 1",
  ]);
  expect(judge({ ...FINE, end: undefined }).ok).toBe(false);
  const output = FINE.output.replace("2 sandboxes", "3 sandboxes");
  expect(judge({ ...FINE, output }).problems).toEqual([expect.stringContaining("does not add up")]);
});

test("where commands may be cut, the exit status must say what the tests saw", () => {
  const { cell: where } = FINE;
  const strike: Strike = { ...where.strike, hits: "service", exit: () => "by-tests" };
  const cut: Facts = { ...FINE, cell: { ...where, strike } };
  const done = { kind: "done", pid: VICTIM, test: "suite-0.0" } as const;
  const whole: Facts = { ...cut, notes: [...FINE.notes, done] };
  expect(judge(cut).ok).toBe(true);
  expect(judge(whole).problems).toEqual(["exit 1 where the framework alone gives 0"]);
  expect(judge({ ...whole, end: { exitCode: 0, signal: null } }).ok).toBe(true);
  const trouble = { kind: "trouble", pid: OTHER, test: "suite-0.1", error: "cut" } as const;
  expect(judge({ ...whole, notes: [...whole.notes, trouble] }).ok).toBe(true);
});

test("what is slower than its goal is late, and counts as never where it did not come", () => {
  expect(judge({ ...FINE, workerSeconds: 6 })).toMatchObject({
    ok: true,
    isLate: true,
    seconds: 6,
  });
  const never = judge({ ...FINE, seconds: undefined, quietSeconds: undefined });
  expect(never).toMatchObject({ isLate: true, seconds: undefined });
  expect(tableOf([judge(FINE), never]).at(-1)).toMatch(/^all +2 +4 +0 +0 +1\.00 +never +never/);
});

test("cells have names of their own, and a sample has each strike before any comes twice", () => {
  const cells = allCells();
  expect(new Set(cells.map(({ name }) => name)).size).toBe(cells.length);
  const sample = sampleOf(cells, STRIKES.length, 7);
  expect(new Set(sample.map(({ strike }) => strike.name)).size).toBe(STRIKES.length);
  expect(sampleOf(cells, 5, 7)).toEqual(sample.slice(0, 5));
  expect(sampleOf(cells, cells.length + 1, 7)).toHaveLength(cells.length);
});

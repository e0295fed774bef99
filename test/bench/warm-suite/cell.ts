import { quantile } from "../measure.ts";
import { startService } from "../service.ts";
import { type Bound, boundOf, type Manner } from "./bound.ts";
import { gapsOf } from "./clock.ts";
import {
  emptySuite,
  type Paid,
  suiteByHand,
  type SuiteRun,
  suiteWithFixture,
} from "./contenders.ts";
import { FILES, WORKERS } from "./projects.ts";

export interface CellOptions {
  readonly name: string;
  /** Of the service; undefined: the embedded engine, which takes what it takes. */
  readonly latency: { readonly startSeconds: number; readonly stopSeconds: number } | undefined;
  readonly slots: number;
  readonly tests: number;
  readonly rounds: number;
}

export const CONTENDERS = {
  byHand: { name: "(a) by hand", manner: "by hand" },
  cold: { name: "(b) warm: false", manner: "cold" },
  firstRun: { name: "(c1) no history", manner: "warm" },
  warm: { name: "(c) warm: auto", manner: "warm" },
} as const satisfies Readonly<Record<string, { name: string; manner: Manner }>>;

export type ContenderName = keyof typeof CONTENDERS;

/** Seconds; medians over the rounds, and the spread of the whole. */
export interface Figures {
  readonly wholeSeconds: number;
  readonly least: number;
  readonly most: number;
  readonly testsSeconds: number;
  readonly medianWaitSeconds: number;
  readonly worstWaitSeconds: number;
  readonly paid: Paid;
  readonly bound: Bound;
}

export interface Cell {
  readonly options: CellOptions;
  /** What the bound is made of. */
  readonly measured: string;
  readonly figures: Readonly<Record<ContenderName, Figures>>;
}

/** All contenders of one cell, round after round, each round beginning with another one. */
export async function measureCell(options: CellOptions): Promise<Cell> {
  const { latency, slots, rounds } = options;
  const each = Math.ceil(options.tests / FILES.length);
  await using service = await startService("bubblewrap", [
    ...["--max-sandboxes", String(slots)],
    ...(latency === undefined
      ? []
      : ["--latency", `start=${latency.startSeconds}s,stop=${latency.stopSeconds}s`]),
  ]);
  const serviceEnv = {
    CWSANDBOX_BASE_URL: service.connection.baseUrl,
    CWSANDBOX_API_KEY: service.apiKey,
  };
  const target = { embedded: latency === undefined, slots, serviceEnv };
  await using empty = await emptySuite(each);
  await using byHand = await suiteByHand(each, target);
  await using cold = await suiteWithFixture(each, target, false);
  await using warm = await suiteWithFixture(each, target, "auto");
  const first = async (): Promise<SuiteRun> => {
    await warm.forgetEarlierRuns();
    return warm.run();
  };
  const runs: Record<ContenderName | "empty", SuiteRun[]> = {
    ...{ empty: [], byHand: [], cold: [], firstRun: [], warm: [] },
  };
  const order: readonly (() => Promise<void>)[] = [
    async () => void runs.empty.push(await empty.run()),
    async () => void runs.byHand.push(await byHand.run()),
    async () => void runs.cold.push(await cold.run()),
    async () => {
      // The first run leaves what the next one knows.
      runs.firstRun.push(await first());
      runs.warm.push(await warm.run());
    },
  ];
  for (let round = 0; round < rounds; round += 1) {
    for (let index = 0; index < order.length; index += 1)
      await order[(index + round) % order.length]?.();
  }
  return summarized(options, runs);
}

function summarized(
  options: CellOptions,
  { empty, ...runs }: Readonly<Record<ContenderName | "empty", readonly SuiteRun[]>>,
): Cell {
  const { latency, slots, tests } = options;
  const withFixture = [...runs.cold, ...runs.firstRun, ...runs.warm];
  const bodies = withFixture.flatMap(({ files }) =>
    files.flatMap((file) => file.tests.map(({ gotAt, doneAt }) => doneAt - gotAt)),
  );
  const meanOfPaid = (part: "startingSeconds" | "endingSeconds"): number =>
    mean(runs.cold.map(({ paid }) => (paid?.[part] ?? Number.NaN) / (paid?.made ?? Number.NaN)));
  const shape = {
    ...{ tests, slots, workers: WORKERS },
    createSeconds: latency?.startSeconds ?? meanOfPaid("startingSeconds"),
    stopSeconds: latency?.stopSeconds ?? meanOfPaid("endingSeconds"),
    // Without what the fixture adds between two tests: that is ours to answer for.
    testSeconds: (mean(bodies) + mean(empty.flatMap(({ files }) => gapsOf(files)))) / 1000,
    // The least that any run has shown: load that came and went is no bound.
    firstTestSeconds: Math.min(
      ...[...empty, ...runs.byHand, ...withFixture].map((run) => run.firstAskedSeconds),
    ),
    exitSeconds: Math.min(
      ...[...empty, ...runs.byHand].map((run) => run.wholeSeconds - run.lastEndSeconds),
    ),
    coordinatorSeconds: Math.min(...withFixture.map((run) => run.coordinatorSeconds ?? Number.NaN)),
  };
  const named = (name: ContenderName): Figures =>
    figuresOf(runs[name], boundOf(shape, CONTENDERS[name].manner));
  const s = (seconds: number): string => `${seconds.toFixed(3)} s`;
  return {
    options,
    measured:
      `N = ${tests}, W = ${WORKERS}, S = ${slots}, L = ${s(shape.createSeconds)}, T = ${s(shape.stopSeconds)}, t = ${s(shape.testSeconds)}, ` +
      `F = ${s(shape.firstTestSeconds)}, C = ${s(shape.coordinatorSeconds)}, E = ${s(shape.exitSeconds)}`,
    figures: {
      ...{ byHand: named("byHand"), cold: named("cold") },
      ...{ firstRun: named("firstRun"), warm: named("warm") },
    },
  };
}

function figuresOf(runs: readonly SuiteRun[], bound: Bound): Figures {
  const wholes = runs.map(({ wholeSeconds }) => wholeSeconds);
  const waits = runs
    .flatMap(({ files }) => files.flatMap(({ tests }) => tests))
    .map(({ askedAt, gotAt }) => (gotAt - askedAt) / 1000)
    .toSorted((a, b) => a - b);
  const paid = runs.map((run) => run.paid ?? paidByHand(run));
  const part = (name: keyof Paid): number => median(paid.map((each) => each[name]));
  return {
    wholeSeconds: median(wholes),
    least: Math.min(...wholes),
    most: Math.max(...wholes),
    testsSeconds: median(runs.map((run) => run.lastEndSeconds - run.firstAskedSeconds)),
    medianWaitSeconds: quantile(waits, 0.5),
    worstWaitSeconds: waits.at(-1) ?? Number.NaN,
    paid: {
      ...{ made: part("made"), warmMade: part("warmMade"), warmUnused: part("warmUnused") },
      ...{ sandboxSeconds: part("sandboxSeconds"), startingSeconds: part("startingSeconds") },
      ...{ poolSeconds: part("poolSeconds"), testSeconds: part("testSeconds") },
      endingSeconds: part("endingSeconds"),
    },
    bound,
  };
}

/** By hand a sandbox is paid for from the ask to the end of its stop, which the test waits for. */
function paidByHand({ files }: SuiteRun): Paid {
  const tests = files.flatMap((file) => file.tests);
  const sum = (of: (test: (typeof tests)[number]) => number): number =>
    tests.reduce((total, test) => total + of(test), 0) / 1000;
  const startingSeconds = sum(({ askedAt, gotAt }) => gotAt - askedAt);
  const testSeconds = sum(({ gotAt, doneAt }) => doneAt - gotAt);
  const endingSeconds = sum(({ doneAt, stoppedAt = Number.NaN }) => stoppedAt - doneAt);
  return {
    ...{ made: tests.length, warmMade: 0, warmUnused: 0, poolSeconds: 0 },
    ...{ startingSeconds, testSeconds, endingSeconds },
    sandboxSeconds: startingSeconds + testSeconds + endingSeconds,
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function median(values: readonly number[]): number {
  return quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}

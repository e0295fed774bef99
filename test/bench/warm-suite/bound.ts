/**
 * The least time in which a suite can be through, for its latencies, slots and workers alone.
 *
 * All tests are alike: a sandbox takes L from its create until it runs, the test t, and its stop T;
 * it holds one of S slots for all of that. One worker runs one test at a time; there are W. Workers
 * begin their first tests F after the process was spawned, and no create leaves before C, when the
 * coordinator is up. Test i (from 0) in the order of the ends, which is that of the begins:
 *
 *     warm      create(i) = i < S ? C : end(i - S) + T            a slot that is free is filled
 *               begin(i)  = max(create(i) + L, i < W ? F : end(i - W))
 *     cold      create(i) = max(i < W ? F : end(i - W), i < S ? C : end(i - S) + T)
 *               begin(i)  = create(i) + L                         a create waits for its test
 *     by hand   begin(i)  = (i < W ? F : end(i - W) + T) + L      a test waits for the last one's stop
 *     all       end(i)    = begin(i) + t
 *
 *     whole     end(N - 1) + max(T, E)    the last stop while the framework ends, which takes E
 *
 * By hand the last stop is part of the last test: whole = end(N - 1) + T + E. Nothing can be faster:
 * for work that is all alike, filling a slot and a worker as soon as they are free is the best order.
 * In closed form no less than the slots allow, ceil(N / S) (L + t + T), and the workers,
 * C + L + (N / W) t.
 */
export interface SuiteShape {
  readonly tests: number;
  readonly workers: number;
  readonly slots: number;
  /** L, t and T. */
  readonly createSeconds: number;
  readonly testSeconds: number;
  readonly stopSeconds: number;
  /** F, C and E. */
  readonly firstTestSeconds: number;
  readonly coordinatorSeconds: number;
  readonly exitSeconds: number;
}

export type Manner = "by hand" | "cold" | "warm";

export const BOUND_FORMULA =
  "bound: create(i) = i<S ? C : end(i-S)+T; begin(i) = max(create(i)+L, i<W ? F : end(i-W)); end(i) = begin(i)+t; whole = end(N-1) + max(T, E); " +
  "cold: create(i) = max(i<W ? F : end(i-W), i<S ? C : end(i-S)+T); by hand: begin(i) = (i<W ? F : end(i-W)+T) + L, whole = end(N-1)+T+E";

export interface Bound {
  /** From the spawn of the process to its exit. */
  readonly wholeSeconds: number;
  /** From the first test's begin to the last one's end. */
  readonly testsSeconds: number;
}

export function boundOf(shape: SuiteShape, manner: Manner): Bound {
  const { tests, workers, slots, createSeconds, testSeconds, stopSeconds } = shape;
  const { firstTestSeconds, coordinatorSeconds, exitSeconds } = shape;
  const ends: number[] = [];
  const after = (index: number, first: number, pause: number): number =>
    index < 0 ? first : (ends[index] ?? Number.NaN) + pause;
  for (let test = 0; test < tests; test += 1) {
    const slotFree = after(test - slots, coordinatorSeconds, stopSeconds);
    const workerFree = after(
      test - workers,
      firstTestSeconds,
      manner === "by hand" ? stopSeconds : 0,
    );
    const begin = {
      warm: Math.max(slotFree + createSeconds, workerFree),
      cold: Math.max(slotFree, workerFree) + createSeconds,
      "by hand": workerFree + createSeconds,
    }[manner];
    ends.push(begin + testSeconds);
  }
  const inLastTest = manner === "by hand" ? stopSeconds : 0;
  const last = (ends.at(-1) ?? Number.NaN) + inLastTest;
  return {
    wholeSeconds: last + (manner === "by hand" ? exitSeconds : Math.max(stopSeconds, exitSeconds)),
    testsSeconds: last - firstTestSeconds,
  };
}

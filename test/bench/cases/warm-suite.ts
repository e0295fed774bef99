import type { Result } from "../report.ts";
import { BOUND_FORMULA } from "../warm-suite/bound.ts";
import {
  type Cell,
  type CellOptions,
  CONTENDERS,
  type ContenderName,
  measureCell,
} from "../warm-suite/cell.ts";
import { WORKERS } from "../warm-suite/projects.ts";

const STOP_SECONDS = 1;
const EMBEDDED_SLOTS = 16;
/** Cells whose suites only sleep run beside each other. */
const SLEEPING_FROM_SECONDS = 2;
const SLEEPING_AT_ONCE = 3;

const LIMIT_OF_BOUND = 1.15;
const LIMIT_OF_COLD = 1.03;
const LIMIT_PAID = 1.3;
/** The latency that the limit of what is paid for is set at. */
const PAID_AT_SECONDS = 2;

export interface WarmSuiteOptions {
  readonly tests: number;
  readonly startSeconds: readonly number[];
  readonly slots: readonly number[];
  readonly rounds: number;
  /** Names such as `embedded` and `2s/16`; undefined: all. */
  readonly cells: readonly string[] | undefined;
}

/**
 * A suite whose every test has a sandbox of its own and runs one command in it, in 4 workers: by
 * hand, with fixtures and no pool, and with one, against what latencies and slots allow.
 */
export async function warmSuite(options: WarmSuiteOptions): Promise<readonly Result[]> {
  const cells = cellsOf(options);
  const unknown = options.cells?.filter((name) => !cells.some((cell) => cell.name === name)) ?? [];
  if (unknown.length > 0)
    throw new Error(
      `--cells: no ${unknown.join(", ")}; there are ${cells.map(({ name }) => name).join(", ")}`,
    );
  const wanted = cells.filter(({ name }) => options.cells?.includes(name) ?? true);
  const sleeps = ({ latency }: CellOptions) =>
    (latency?.startSeconds ?? 0) >= SLEEPING_FROM_SECONDS;
  const measured: Cell[] = [];
  for (const cell of wanted.filter((each) => !sleeps(each)))
    measured.push(await measuredAndTold(cell));
  // The longest first.
  const sleeping = wanted.filter(sleeps).toReversed();
  const lanes = await Promise.allSettled(
    Array.from({ length: SLEEPING_AT_ONCE }, async () => {
      for (let next = sleeping.shift(); next !== undefined; next = sleeping.shift())
        measured.push(await measuredAndTold(next));
    }),
  );
  // Not before the other lanes have cleaned up after themselves.
  for (const lane of lanes) if (lane.status === "rejected") throw lane.reason;
  return measured.flatMap((cell, index) => rowsOf(cell, index === 0 ? [BOUND_FORMULA] : []));
}

async function measuredAndTold(options: CellOptions): Promise<Cell> {
  const cell = await measureCell(options);
  // Some cells take many minutes.
  process.stderr.write(`  ${options.name} is measured\n`);
  return cell;
}

function cellsOf({ tests, startSeconds, slots, rounds }: WarmSuiteOptions): readonly CellOptions[] {
  return [
    { name: "embedded", latency: undefined, slots: EMBEDDED_SLOTS, tests, rounds },
    ...startSeconds.flatMap((start) =>
      slots.map((most) => ({
        name: `${start}s/${most}`,
        latency: { startSeconds: start, stopSeconds: STOP_SECONDS },
        ...{ slots: most, tests, rounds },
      })),
    ),
  ];
}

function rowsOf(cell: Cell, legend: readonly string[]): readonly Result[] {
  const { options, figures } = cell;
  const { byHand, cold, warm } = figures;
  const where =
    options.latency === undefined
      ? "embedded engine"
      : `start ${options.latency.startSeconds} s, stop ${options.latency.stopSeconds} s`;
  const name = `${options.tests} tests, ${where}, ${options.slots} slots`;
  const row = (what: string, value: number, limit: number, unit = "×"): Result => ({
    ...{ name: `${name}: ${what}`, value, unit, limit, figures: [], samples: [] },
  });
  return [
    {
      ...row(
        "whole time of (c) to the bound",
        warm.wholeSeconds / warm.bound.wholeSeconds,
        LIMIT_OF_BOUND,
      ),
      figures: [...figuresOf(cell), ...legend],
    },
    row("whole time of (c) to (b)", warm.wholeSeconds / cold.wholeSeconds, LIMIT_OF_COLD),
    row("warm ones that nobody used", warm.paid.warmUnused, WORKERS, "sandboxes"),
    ...(options.latency?.startSeconds === PAID_AT_SECONDS
      ? [
          row(
            "sandbox-seconds of (c) to (a)",
            warm.paid.sandboxSeconds / byHand.paid.sandboxSeconds,
            LIMIT_PAID,
          ),
        ]
      : []),
  ];
}

function figuresOf({ figures, measured, options }: Cell): readonly string[] {
  const s = (seconds: number): string => `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  const lines = (Object.keys(CONTENDERS) as ContenderName[]).map((key) => {
    const { wholeSeconds, least, most, testsSeconds, paid, bound, ...waits } = figures[key];
    return [
      `${CONTENDERS[key].name.padEnd(16)} whole ${s(wholeSeconds)} (${s(least)} to ${s(most)}), bound ${s(bound.wholeSeconds)}, ${(wholeSeconds / bound.wholeSeconds).toFixed(2)} ×`,
      `tests ${s(testsSeconds)}, bound ${s(bound.testsSeconds)}`,
      `waited median ${(waits.medianWaitSeconds * 1000).toFixed(1)} ms, worst ${(waits.worstWaitSeconds * 1000).toFixed(0)} ms`,
      `${paid.made} made, ${paid.warmMade} warm, ${paid.warmUnused} unused`,
      `paid ${s(paid.sandboxSeconds)}: ${s(paid.startingSeconds)} starting, ${s(paid.poolSeconds)} in the pool, ${s(paid.testSeconds)} in tests, ${s(paid.endingSeconds)} ending; ${(paid.sandboxSeconds / figures.byHand.paid.sandboxSeconds).toFixed(2)} × (a)`,
    ].join("; ");
  });
  const embedded = options.latency === undefined;
  return [
    ...lines,
    ...(embedded ? ["(a) is over `tidybox serve`: our client alone has no embedded engine"] : []),
    measured,
  ];
}

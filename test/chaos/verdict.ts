import type { Cell } from "./cells.ts";
import type { LaunchEnd } from "../support/launch.ts";
import { type Remains, countRemains, describeRemains } from "./remains.ts";
import type { Exit, Hit } from "./strikes/strike.ts";
import type { Note, RunPlan } from "./suite/plan.ts";

/** What became of one strike. */
export interface Verdict {
  readonly cell: string;
  readonly strike: string;
  readonly seed: number;
  readonly ok: boolean;
  /** Sandboxes that tests had. */
  readonly made: number;
  /** Sandboxes, processes, folders and mounts, {@link PATIENCE_SECONDS} after they had to be gone. */
  readonly left: number;
  /** Bystanders, and sandboxes of workers that were not hit. */
  readonly touched: number;
  /** From the death (or the normal end) until no sandbox was left. */
  readonly seconds: number | undefined;
  /** The same until nothing at all was: the coordinator looks for late sandboxes, then goes. */
  readonly quietSeconds: number | undefined;
  readonly goalSeconds: number;
  readonly isLate: boolean;
  readonly exit: string;
  /** What was wrong, one line each. */
  readonly problems: readonly string[];
  /** What the run said of itself. */
  readonly said: string;
}

/** What the cell saw. */
export interface Facts {
  readonly cell: Cell;
  readonly seed: number;
  readonly plan: RunPlan;
  readonly notes: readonly Note[];
  readonly hitPids: readonly number[];
  /** Undefined where the run did not end by itself. */
  readonly end: LaunchEnd | undefined;
  readonly output: string;
  readonly seconds: number | undefined;
  readonly quietSeconds: number | undefined;
  readonly remains: Remains;
  readonly touchedBystanders: readonly string[];
  /** Seconds until a killed worker's sandboxes were gone, while the run went on. */
  readonly workerSeconds: number | undefined;
  readonly workersLeft: readonly string[];
}

/** From the death until nothing is left; at a normal end only the coordinator has to go. */
const GOAL_SECONDS: Readonly<Record<Hit, number>> = {
  worker: 5,
  runner: 10,
  service: 10,
  test: 2,
  nobody: 2,
};

/** Longer than any goal: what is there after that stays. */
export const PATIENCE_SECONDS = 30;

export function judge(facts: Facts): Verdict {
  const { cell, seed, notes, remains, touchedBystanders, end } = facts;
  const { strike } = cell;
  const hurt = falselyHurt(facts);
  const goalSeconds = GOAL_SECONDS[strike.hits];
  const slowest = Math.max(facts.seconds ?? Infinity, facts.workerSeconds ?? 0);
  const left = countRemains(remains) + facts.workersLeft.length;
  const problems = [
    ...(end === undefined ? ["the run did not end by itself"] : exitProblems(facts, end)),
    ...describeRemains(remains).map((line) => `left: ${line}`),
    ...facts.workersLeft.map((id) => `left: sandbox ${id} of the worker that was killed`),
    ...touchedBystanders.map((line) => `a bystander was touched: ${line}`),
    ...hurt.map((line) => `not hit, and hurt: ${line}`),
    ...accountProblems(facts),
  ];
  return {
    cell: cell.name,
    strike: strike.name,
    seed,
    ok: problems.length === 0,
    made: new Set(notes.flatMap(({ sandboxIds }) => sandboxIds ?? [])).size,
    left,
    touched: touchedBystanders.length + hurt.length,
    seconds: Number.isFinite(slowest) ? slowest : undefined,
    quietSeconds: facts.quietSeconds,
    goalSeconds,
    isLate: slowest > goalSeconds,
    exit: end === undefined ? "none" : (end.signal ?? String(end.exitCode)),
    problems,
    said: accountOf(facts.output),
  };
}

function exitProblems(facts: Facts, end: LaunchEnd): readonly string[] {
  const { cell } = facts;
  const expected = cell.strike.exit({ ...cell.setup, backend: cell.backend });
  const choices: readonly Exit[] = [expected]
    .flat()
    .map((each) => (each === "by-tests" ? statusByTests(facts) : each));
  if (choices.some((each) => matches(each, end))) return [];
  return [
    `exit ${end.signal ?? end.exitCode} where the framework alone gives ${choices.join(" or ")}`,
  ];
}

function statusByTests({ notes, plan }: Facts): number {
  const done = new Set(notes.flatMap(({ kind, test }) => (kind === "done" ? [test] : []))).size;
  const hasTrouble = notes.some(({ kind }) => kind === "trouble");
  return done === plan.files * plan.testsPerFile && !hasTrouble ? 0 : 1;
}

function matches(expected: Exit, { exitCode, signal }: LaunchEnd): boolean {
  return expected === "any" || expected === exitCode || expected === signal;
}

/** Tests that no strike was meant for, and that lost their sandbox or never ended. */
function falselyHurt({ cell, plan, notes, hitPids }: Facts): readonly string[] {
  const { strike, setup } = cell;
  if (strike.hits === "runner" || strike.hits === "service") return [];
  const worker = strike.hits === "worker";
  // One process, or one that takes the others along: there is nobody else to be spared.
  if (worker && (setup.diesWithAWorker || !setup.workersAreProcesses)) return [];
  const victim = plan.victim?.test;
  const victimPids = notes.flatMap(({ test, pid }) => (test === victim ? [pid] : []));
  const isMeant = ({ test, pid }: Note): boolean => {
    if (worker) return hitPids.includes(pid) || victimPids.includes(pid);
    // `--bail` aborts tests under way: their calls fail, as they should.
    return strike.hits === "test" && (test === victim || plan.bail);
  };
  const trouble = notes
    .filter((note) => note.kind === "trouble" && !isMeant(note))
    .map(({ test, error }) => `${test}: ${error}`);
  if (strike.hits !== "nobody") return trouble;
  const done = new Set(notes.filter(({ kind }) => kind === "done").map(({ test }) => test)).size;
  const all = plan.files * plan.testsPerFile;
  return done === all ? trouble : [...trouble, `only ${done} of ${all} tests came to their end`];
}

/** The account's own sum: made = stopped by test + by session + reaped + left. */
function accountProblems({ output }: Facts): readonly string[] {
  const line = accountOf(output);
  const match = /(\d+) sandbox(?:es)?: (.*?)(?: {2}|$)/.exec(line);
  if (match === null) return [];
  const parts = [...(match[2] ?? "").matchAll(/(\d+) [a-z]/g)].map((part) => Number(part[1]));
  const sum = parts.reduce((total, part) => total + part, 0);
  return sum === Number(match[1]) ? [] : [`the account does not add up: ${line}`];
}

function accountOf(output: string): string {
  const line = output.split("\n").find((each) => each.includes("tidybox  run "));
  return line?.trim() ?? "";
}

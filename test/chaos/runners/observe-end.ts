import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Bed, type Project, makeProject } from "../../support/bed.ts";
import { type LaunchEnd, type Launched, endWithin, launch } from "../../support/launch.ts";
import { killProcessesWith, processesWith, until } from "../../support/observer.ts";
import type { BareBodies, Framework, Setup } from "../framework.ts";
import { seconds } from "../strikes/strike.ts";
import type { BadEnd } from "./bad-ends.ts";
import { GO, HOOKS_FILE, releaseOf, waitFor } from "./bare-notes.ts";

/** What a runner did at a bad end. Words and not numbers: they must be the same each time. */
export interface ObservedEnd {
  readonly exit: string;
  /** Whether it waited for the bodies. */
  readonly when: string;
  /** Of each test. */
  readonly hooksOfA: string;
  readonly hooksOfB: string;
  readonly globalTeardown: string;
  /** Processes that outlive their runner. */
  readonly workers: string;
}

export interface Observation {
  readonly framework: Framework;
  readonly setup: Setup;
  readonly end: BadEnd;
}

/** What a worker reports of a test's start has arrived: a report that fails ends some workers. */
const QUIET_SECONDS = 1;
/** Longer than anything takes that does not wait for a body, on a machine that has more to do. */
const AT_ONCE_SECONDS = 6;
/** For processes that are ending. */
const GONE_SECONDS = 3;
const START_SECONDS = 90;
const END_SECONDS = 60;
const HOOKS = ["afterEach", "fixture", "environment"] as const;

export async function observeEnd(
  bed: Bed,
  { framework, setup, end }: Observation,
  mark: string,
): Promise<ObservedEnd> {
  await using project = await makeProject(bed, framework.bareFiles(setup, bodiesOf(end)));
  const [program, ...args] = framework.command(bed, setup);
  const run = launch(project, {
    command: [program, ...args, ...(end.args?.(setup) ?? [])],
    surroundings: end.surroundings ?? "pipe",
    env: { ...end.env, TIDYBOX_TEST_MARK: mark },
  });
  try {
    const workerOfA = await bothInBodies(project, run, setup);
    await seconds(QUIET_SECONDS);
    make(project, GO);
    end.strike?.(run, workerOfA);
    const { exitCode, signal, isAtOnce } = await watchExit(project, run, { setup, end });
    const lastEnded = linesOf(project).includes("end b") ? "b" : "a";
    const workers = await watchWorkers(project, mark);
    const lines = linesOf(project);
    return {
      exit: signal ?? String(exitCode),
      when: isAtOnce ? "at once" : `after ${lastEnded}`,
      hooksOfA: hooksOf("a", lines),
      hooksOfB: hooksOf("b", lines),
      globalTeardown: globalTeardownOf(lines),
      workers,
    };
  } finally {
    killProcessesWith(mark);
  }
}

function bodiesOf({ inTest = "" }: BadEnd): BareBodies {
  return {
    a: [waitFor(GO), inTest, waitFor(releaseOf("a"))].join("\n  "),
    b: waitFor(releaseOf("b")),
  };
}

async function bothInBodies(project: Project, run: Launched, setup: Setup): Promise<number> {
  const wanted = setup.inBand ? ["a"] : ["a", "b"];
  const { answer } = await until(
    "the tests in their bodies",
    START_SECONDS,
    () => ({
      pids: wanted.map((test) => bodyOf(test, linesOf(project))),
      isOver: !run.isRunning(),
    }),
    ({ pids, isOver }) => isOver || pids.every((pid) => pid !== undefined),
  );
  const [workerOfA] = answer.pids;
  if (answer.isOver || workerOfA === undefined)
    throw new Error(`the run ended before its tests began:\n${run.output()}`);
  return workerOfA;
}

/** Lets the bodies end one after the other where the runner waits for them. */
async function watchExit(
  project: Project,
  run: Launched,
  { setup, end }: Pick<Observation, "setup" | "end">,
): Promise<LaunchEnd & { readonly isAtOnce: boolean }> {
  const first = await endWithin(run, end.atOnceSeconds ?? AT_ONCE_SECONDS);
  if (first !== undefined) return { ...first, isAtOnce: true };
  make(project, releaseOf("a"));
  if (setup.inBand) make(project, releaseOf("b"));
  const second = await endWithin(run, AT_ONCE_SECONDS);
  if (second !== undefined) return { ...second, isAtOnce: false };
  make(project, releaseOf("b"));
  const last = await endWithin(run, END_SECONDS);
  if (last === undefined) throw new Error(`the run does not end:\n${run.output()}`);
  return { ...last, isAtOnce: false };
}

async function watchWorkers(project: Project, mark: string): Promise<string> {
  if (await gone(mark)) return "gone";
  for (const test of ["a", "b"] as const) make(project, releaseOf(test));
  return (await gone(mark)) ? "until their body's end" : "stay";
}

async function gone(mark: string): Promise<boolean> {
  for (let left = GONE_SECONDS * 5; left > 0; left -= 1) {
    if (processesWith(mark).length === 0) return true;
    await seconds(0.2);
  }
  return false;
}

function hooksOf(test: string, lines: readonly string[]): string {
  const ran = HOOKS.filter((hook) => lines.includes(`${hook} ${test}`));
  return ran.length === 0 ? "no" : ran.join(", ");
}

/** Beside `b`: a worker still runs it, and goes on to run its hooks or is cut off. */
function globalTeardownOf(lines: readonly string[]): string {
  const at = lines.indexOf("global teardown");
  if (at === -1) return "no";
  const before = lines.slice(0, at);
  const isBeside = bodyOf("b", before) !== undefined && hooksOf("b", before) === "no";
  return isBeside ? "runs, beside b" : "runs";
}

/** The worker's pid. */
function bodyOf(test: string, lines: readonly string[]): number | undefined {
  const line = lines.find((each) => each.startsWith(`body ${test} `));
  return line === undefined ? undefined : Number(line.split(" ")[2]);
}

function linesOf({ directory }: Project): readonly string[] {
  const path = join(directory, HOOKS_FILE);
  return existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
}

function make({ directory }: Project, name: string): void {
  writeFileSync(join(directory, name), "");
}

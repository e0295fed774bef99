import type { Bed } from "../support/bed.ts";
import type { RunPlan } from "./suite/plan.ts";

/** One version of a test framework, with one way to run its workers. */
export interface Setup {
  readonly framework: string;
  /** As `Bed.version`. */
  readonly version: string;
  readonly pool: string;
  /** A worker is a process of its own, and not a thread of the runner's, nor the runner itself. */
  readonly workersAreProcesses: boolean;
  /** The runner runs the tests itself, one file after the other. */
  readonly inBand: boolean;
  /** Workers are ended between files, and made again, when they have grown over a limit. */
  readonly restartsWorkers: boolean;
  /** The whole run is lost with one worker that is killed. */
  readonly diesWithAWorker: boolean;
  /** SIGINT and SIGTERM end the runner themselves; otherwise it exits with a status of its own. */
  readonly diesOfSignals: boolean;
}

/** A project's files: their content by their path. */
export type Files = Readonly<Record<string, string>>;

/** What the tests `a` and `b` of a bare project do, source text with `note`, `there`, `pause`. */
export type BareBodies = Readonly<Record<"a" | "b", string>>;

/** All that the machine must know of a framework. */
export interface Framework {
  readonly name: string;
  /** For people. */
  readonly title: string;
  readonly setups: readonly Setup[];
  /** The project under attack. */
  files(setup: Setup, plan: RunPlan): Files;
  /** Without any tidybox: one test in each of two files, whose hooks note that they run. */
  bareFiles(setup: Setup, bodies: BareBodies): Files;
  /** The runner's command in a project: its program, then its arguments. */
  command(bed: Bed, setup: Setup): readonly [string, ...string[]];
}

/** As it stands in names and tables: `vitest-5`. */
export function versionName({ framework, version }: Pick<Setup, "framework" | "version">): string {
  return `${framework}-${version}`;
}

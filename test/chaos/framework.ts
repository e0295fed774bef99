import type { Bed, Project } from "../support/bed.ts";
import type { RunPlan } from "./suite/plan.ts";

/** One version of a test framework, with one way to run its workers. */
export interface Setup {
  readonly framework: string;
  /** As `Bed.version`. */
  readonly version: string;
  readonly pool: string;
  /** A worker is a process of its own, and not a thread of the runner's. */
  readonly workersAreProcesses: boolean;
  /** Workers are ended between files, and made again, when they have grown over a limit. */
  readonly restartsWorkers: boolean;
  /** The whole run is lost with one worker that is killed. */
  readonly diesWithAWorker: boolean;
}

/** All that the machine must know of a framework. Jest is one more of these. */
export interface Framework {
  readonly name: string;
  readonly setups: readonly Setup[];
  /** The project under attack. */
  files(setup: Setup, plan: RunPlan): Readonly<Record<string, string>>;
  /** The runner's command in a project: its program, then its arguments. */
  command(bed: Bed, project: Project): readonly [string, ...string[]];
}

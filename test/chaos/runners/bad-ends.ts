import type { Launched, Surroundings } from "../../support/launch.ts";
import type { Setup } from "../framework.ts";

/**
 * A bad end of a run, without any tidybox: two workers, `a` and `b`, each in the body of a test.
 * In band there is only `a` at that time, and `b` has its turn when `a` has ended.
 */
export interface BadEnd {
  readonly what: string;
  /** Everywhere when absent. */
  readonly appliesTo?: (setup: Setup) => boolean;
  /** Runs in the body of `a`; source text. */
  readonly inTest?: string;
  readonly args?: (setup: Setup) => readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly surroundings?: Surroundings;
  readonly strike?: (run: Launched, workerOfA: number) => void;
  /** Until it counts as a run that waits for a body; default 6. */
  readonly atOnceSeconds?: number;
  /** CI looks at it in every pool, and not only in the usual one. */
  readonly isTelling?: boolean;
}

export const BAD_ENDS: readonly BadEnd[] = [
  { what: "a test fails", inTest: 'throw new Error("a fails");' },
  { what: "a test calls process.exit()", inTest: "process.exit(3);", isTelling: true },
  {
    what: "an unhandled rejection",
    inTest: 'void Promise.reject(new Error("unhandled")); await pause(200);',
  },
  {
    what: "out of memory",
    inTest: "const hoard = []; for (;;) hoard.push(new Array(100_000).fill(Math.random()));",
    env: { NODE_OPTIONS: "--max-old-space-size=256" },
    atOnceSeconds: 20,
  },
  {
    what: "SIGKILL of a worker",
    appliesTo: ({ workersAreProcesses }) => workersAreProcesses,
    strike: (_run, worker) => process.kill(worker, "SIGKILL"),
  },
  {
    what: "--bail",
    inTest: 'throw new Error("a fails");',
    // Jest takes no number there: it takes `--bail=1` for no bail at all.
    args: ({ framework }) => [framework === "jest" ? "--bail" : "--bail=1"],
    isTelling: true,
  },
  {
    what: "--forceExit",
    appliesTo: ({ framework }) => framework === "jest",
    inTest: 'throw new Error("a fails");',
    args: () => ["--forceExit"],
  },
  { what: "SIGINT, group", strike: ({ pid }) => process.kill(-pid, "SIGINT") },
  { what: "SIGINT, runner", strike: ({ pid }) => process.kill(pid, "SIGINT") },
  { what: "SIGTERM, runner", strike: ({ pid }) => process.kill(pid, "SIGTERM") },
  { what: "SIGHUP, runner", strike: ({ pid }) => process.kill(pid, "SIGHUP") },
  {
    what: "SIGKILL, runner",
    strike: ({ pid }) => process.kill(pid, "SIGKILL"),
    isTelling: true,
  },
  { what: "output piped to head", surroundings: "head" },
];

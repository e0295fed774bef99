import type { Launched, Surroundings } from "../../support/launch.ts";

/** A bad end of a run, without any tidybox: two workers, `a` and `b`, each in the body of a test. */
export interface BadEnd {
  readonly what: string;
  /** Runs in the body of `a`, when `b` is in its own; source text. */
  readonly inTest?: string;
  readonly args?: readonly string[];
  readonly surroundings?: Surroundings;
  /** When both are in their bodies. */
  readonly strike?: (run: Launched, workerOfA: number) => void;
}

export const BAD_ENDS: readonly BadEnd[] = [
  { what: "a test fails", inTest: 'throw new Error("a fails");' },
  { what: "a test calls process.exit()", inTest: "process.exit(3);" },
  {
    what: "an unhandled rejection",
    inTest: 'void Promise.reject(new Error("unhandled")); await pause(200);',
  },
  { what: "SIGKILL of a worker", strike: (_run, worker) => process.kill(worker, "SIGKILL") },
  { what: "--bail", inTest: 'throw new Error("a fails");', args: ["--bail=1"] },
  { what: "SIGINT, group", strike: ({ pid }) => process.kill(-pid, "SIGINT") },
  { what: "SIGINT, runner", strike: ({ pid }) => process.kill(pid, "SIGINT") },
  { what: "SIGTERM, runner", strike: ({ pid }) => process.kill(pid, "SIGTERM") },
  { what: "SIGHUP, runner", strike: ({ pid }) => process.kill(pid, "SIGHUP") },
  { what: "SIGKILL, runner", strike: ({ pid }) => process.kill(pid, "SIGKILL") },
  { what: "output piped to head", surroundings: "head" },
];

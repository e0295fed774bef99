import type { FaultOptions } from "@tidybox/local";

/** What a test of the suite does wrong. */
export type Misdeed =
  | "throws"
  | "times-out"
  | "hangs-in-hook"
  | "blocks-the-loop"
  | "runs-out-of-memory"
  | "calls-exit"
  | "rejects-unhandled"
  | "never-ends";

/** One run of the suite under attack. */
export interface RunPlan {
  readonly runId: string;
  readonly files: number;
  readonly testsPerFile: number;
  readonly workers: number;
  readonly maxSandboxes: number;
  /** Every second test holds two sandboxes. */
  readonly pairs: boolean;
  /** Each test works on its sandboxes that often, with a pause of about 0.15 s. */
  readonly rounds: number;
  /** Of each test. */
  readonly timeoutSeconds: number;
  readonly victim: { readonly test: string; readonly misdeed: Misdeed } | undefined;
  readonly bail: boolean;
  /** Of Jest. */
  readonly forceExit: boolean;
  /** Every file finds its worker over the limit. */
  readonly tinyMemoryLimit: boolean;
  /** Of the embedded service. */
  readonly faults: FaultOptions | undefined;
  /** A process in each sandbox sleeps that long: seen in the process table, from outside. */
  readonly sleepSeconds: number;
}

/** One line of what the suite notes while it runs. */
export interface Note {
  /**
   * `runner` and `tests-over` are the runner's own, `trouble` a call to a sandbox that failed,
   * `misdeed` the victim's beginning of its.
   */
  readonly kind: "runner" | "holds" | "misdeed" | "trouble" | "done" | "tests-over";
  readonly pid: number;
  readonly test?: string;
  readonly sandboxIds?: readonly string[];
  readonly error?: string;
}

export const NOTES_FILE = "notes.jsonl";
/** When there is a file of this name, tests leave out the rounds to come. */
export const ENOUGH_FILE = "enough";

export function testName(file: number, index: number): string {
  return `suite-${file}.${index}`;
}

/** What became of one run of a program. */
export type Verdict =
  | { readonly kind: "accepted" }
  | {
      readonly kind: "wrong-answer";
      /** What the program printed; the expected answer is not the submitter's business. */
      readonly printed: string;
    }
  | { readonly kind: "time-limit"; readonly timeLimitSeconds: number }
  | {
      readonly kind: "output-limit";
      readonly outputLimitBytes: number;
      /** Both streams together, until the program ended or was ended. */
      readonly producedBytes: number;
    }
  | {
      readonly kind: "runtime-error";
      readonly exitCode: number;
      /** Such as `"SIGSEGV"`, where the exit code says that a signal ended it. */
      readonly signal: string | undefined;
      readonly errors: string;
    };

/** What became of a submission: the first verdict that is not "accepted", else "accepted". */
export interface Grade {
  readonly verdict: Verdict;
  /** The case of that verdict; undefined when all were accepted. */
  readonly failedCase: string | undefined;
  readonly acceptedCases: number;
  /** Processes that the program left behind, and the grader ended. */
  readonly leftProcesses: number;
}

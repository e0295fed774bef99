/** A command that came to its end, with whatever status. */
export interface ExecResult extends PartialExecResult {
  readonly exitCode: number;
}

/** A command as far as it came. */
export interface PartialExecResult {
  /** As it was given, without what a `cwd` adds. */
  readonly command: readonly string[];
  /** The kept bytes as UTF-8. */
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutBytes: Uint8Array;
  readonly stderrBytes: Uint8Array;
  /** More was printed than kept. */
  readonly stdoutTruncated: boolean;
  readonly stderrTruncated: boolean;
  /** All that was printed, kept or not. */
  readonly stdoutBytesProduced: number;
  readonly stderrBytesProduced: number;
  /** From the call to its end, the way to the service included. */
  readonly durationSeconds: number;
}

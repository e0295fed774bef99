/**
 * `ExecStreamError.code` (reference 3.7). These are no ErrorInfo reasons; codes beyond these exist
 * and pass through as text.
 */
export const ExecStreamErrorCode = {
  /** The reader was too slow and output was cut. */
  STREAM_BACKPRESSURE: "STREAM_BACKPRESSURE",
  /** The command ended, but output was lost on the way. */
  STREAM_TRUNCATED: "STREAM_TRUNCATED",
} as const;

export type ExecStreamErrorCode = (typeof ExecStreamErrorCode)[keyof typeof ExecStreamErrorCode];

/** `LogStreamError.code` (reference 3.8). Others exist and are final. */
export const LogStreamErrorCode = {
  /** Unknown session: begin afresh. Likewise the next three. */
  SESSION_NOT_FOUND: "SESSION_NOT_FOUND",
  /** The offset is older than the bytes kept. */
  REPLAY_GAP: "REPLAY_GAP",
  RUNNER_UNAVAILABLE: "RUNNER_UNAVAILABLE",
  RUNNER_DRAINING: "RUNNER_DRAINING",
  /** Routine restart, session still held: resume with its id and offset. */
  STREAM_INTERRUPTED: "STREAM_INTERRUPTED",
  /** Final. Likewise all that follow. */
  INVALID_RESUME_OFFSET: "INVALID_RESUME_OFFSET",
  STREAM_TRUNCATED: "STREAM_TRUNCATED",
  SANDBOX_NOT_FOUND: "SANDBOX_NOT_FOUND",
  PERMISSION_DENIED: "PERMISSION_DENIED",
} as const;

export type LogStreamErrorCode = (typeof LogStreamErrorCode)[keyof typeof LogStreamErrorCode];

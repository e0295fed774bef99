/** Polling of `GetSandbox` by the official SDKs (reference 6.3). */
export const POLL_INTERVAL_SECONDS = 0.2;
export const POLL_BACKOFF_FACTOR = 1.5;
export const POLL_INTERVAL_CEILING_SECONDS = 2;

/** Deadline of one `GetSandbox` inside a wait. */
export const POLL_TIMEOUT_SECONDS = 15;

/** For one burst of failures: begins with the first one, ends with a success. */
export const RETRY_BUDGET_SECONDS = 30;

/** Shortest pause before another try, without a RetryInfo. */
export const RETRY_PAUSE_SECONDS = 0.2;

/** Longest pause before another try, without a RetryInfo. */
export const RETRY_PAUSE_CEILING_SECONDS = 2;

/** A random pause is at most this many times the one before. */
export const RETRY_BACKOFF_FACTOR = 1.5;

/** Most that a RetryInfo is obeyed (reference 5.4). */
export const RETRY_HINT_CEILING_SECONDS = 10;

/** Further `GetSandbox` calls when COMPLETED came without its exit code. */
export const MISSING_EXIT_CODE_POLLS = 2;

/** Pause before each of these calls, and deadline of each. */
export const MISSING_EXIT_CODE_PAUSE_SECONDS = 2;

/** How long NOT_FOUND after one's own stop is taken for a listing that lags. */
export const NOT_FOUND_AFTER_STOP_SECONDS = 2;

/** How long input is held back for `ExecStreamReady` (reference 3.7). */
export const EXEC_READY_TIMEOUT_SECONDS = 5;

/** Added to a command's own limit for the deadline of its call. */
export const EXEC_DEADLINE_MARGIN_SECONDS = 5;

/** Added to the grace for the deadline of a plain `DeleteSandbox`. */
export const STOP_DEADLINE_MARGIN_SECONDS = 10;

/** Limit of the command that asks for a file's size before a streamed read. */
export const SIZE_PROBE_TIMEOUT_SECONDS = 10;

/** Resuming a followed log (reference 3.8): tries in a row without new data. */
export const LOG_RESUME_ATTEMPTS = 3;

/** First pause before resuming a log; doubles. */
export const LOG_RESUME_PAUSE_SECONDS = 0.5;
export const LOG_RESUME_PAUSE_CEILING_SECONDS = 4;

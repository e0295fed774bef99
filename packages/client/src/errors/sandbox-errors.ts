import { type ErrorOptionsOf, TidyboxError } from "./tidybox-error.ts";

/** The sandbox could not start, or was ended while it did. Code `"sandbox_failed"`. */
export class SandboxFailedError extends TidyboxError {
  /** The service's text for it; empty where it gave none. */
  readonly stateReason: string;
  /**
   * The last that its main process printed: at most 20 lines and 4096 characters, control characters
   * shown as `\x1b`. Empty where it printed nothing, or the service did not give it out in time.
   */
  readonly lastLogLines: readonly string[];

  constructor(
    options: ErrorOptionsOf & {
      readonly stateReason: string;
      readonly lastLogLines?: readonly string[];
    },
  ) {
    super({ code: "sandbox_failed", ...options });
    this.stateReason = options.stateReason;
    this.lastLogLines = options.lastLogLines ?? [];
  }
}

/** The sandbox is stopped, or whoever owns it has closed it. Code `"sandbox_closed"`. */
export class SandboxClosedError extends TidyboxError {
  constructor(options: ErrorOptionsOf) {
    super({ code: "sandbox_closed", ...options });
  }
}

/** A file could not be read or written; `reason` says why. Code `"file_error"`. */
export class FileError extends TidyboxError {
  /** As it was given to the call. */
  readonly path: string;

  constructor(options: ErrorOptionsOf & { readonly path: string }) {
    super({ code: "file_error", ...options });
    this.path = options.path;
  }
}

/** Of several files, some could not be read or written; `path` and `reason` are the first one's. */
export class FilesError extends FileError {
  /** One for each file that failed. */
  readonly failures: readonly FileFailure[];

  constructor(
    options: ErrorOptionsOf & { readonly path: string; readonly failures: readonly FileFailure[] },
  ) {
    super(options);
    this.failures = options.failures;
  }
}

export interface FileFailure {
  readonly path: string;
  readonly error: unknown;
}

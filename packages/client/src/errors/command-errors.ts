import type { ExecResult, PartialExecResult } from "../exec/result.ts";
import { type ErrorOptionsOf, TidyboxError } from "./tidybox-error.ts";
import { TimeoutError } from "./request-errors.ts";

/** A command ran longer than its `timeoutSeconds` and was cancelled. Code `"command_timeout"`. */
export class CommandTimeoutError extends TimeoutError {
  /** What the command had printed by then. Undefined where the service itself ended the command. */
  readonly result: PartialExecResult | undefined;

  constructor(options: ErrorOptionsOf & { readonly result: PartialExecResult | undefined }) {
    super({ code: "command_timeout", ...options });
    this.result = options.result;
  }
}

/** A command with `check: true` ended with another status than 0. Code `"command_failed"`. */
export class CommandFailedError extends TidyboxError {
  readonly result: ExecResult;

  constructor(options: ErrorOptionsOf & { readonly result: ExecResult }) {
    super({ code: "command_failed", ...options });
    this.result = options.result;
  }
}

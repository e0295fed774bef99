import { type ErrorOptionsOf, TidyboxError } from "./tidybox-error.ts";

/**
 * A log broke off, and what comes after cannot be had without a gap or a repetition. Code
 * `"log_interrupted"`.
 */
export class LogInterruptedError extends TidyboxError {
  /** What had been handed on by then, without a gap. */
  readonly deliveredBytes: number;

  constructor(options: ErrorOptionsOf & { readonly deliveredBytes: number }) {
    super({ code: "log_interrupted", ...options });
    this.deliveredBytes = options.deliveredBytes;
  }
}

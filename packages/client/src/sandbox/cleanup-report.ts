import { types } from "node:util";
import { CleanupError, type CleanupFailure } from "../errors/cleanup-error.ts";

/**
 * For cleanup that must not throw, because an error that matters more is already on its way: a
 * process warning, on stderr by default, with the ids and the command that stops them.
 */
export function reportLeft(failures: readonly CleanupFailure[]): void {
  const { message } = new CleanupError(failures);
  process.emitWarning(message, { type: "TidyboxWarning", code: "TIDYBOX_CLEANUP_FAILED" });
}

export function asError(error: unknown): Error {
  return types.isNativeError(error) ? error : new Error(String(error));
}

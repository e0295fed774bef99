import type { PartialExecResult } from "./result.ts";

/** What Node's `console.log` asks for; by its registered name, so that nothing has to be loaded. */
const INSPECT = Symbol.for("nodejs.util.inspect.custom");

type Inspect = (value: unknown, options: object) => string;

/**
 * The same result, printed as a person wants it: without the bytes, which are there as text, and
 * without what is as it always is.
 */
export function printedShort<T extends PartialExecResult>(result: T): T {
  // Not enumerable, so that it is no part of the result to whoever copies or compares it.
  return Object.defineProperty(result, INSPECT, { value: inspectResult, enumerable: false });
}

function inspectResult(
  this: PartialExecResult & { readonly exitCode?: number },
  _depth: number,
  options: object,
  inspect: Inspect,
): string {
  const { command, exitCode, stdout, stderr, durationSeconds } = this;
  const shown = {
    command,
    ...(exitCode !== undefined && { exitCode }),
    stdout,
    stderr,
    ...(this.stdoutTruncated && { stdoutBytesProduced: this.stdoutBytesProduced }),
    ...(this.stderrTruncated && { stderrBytesProduced: this.stderrBytesProduced }),
    durationSeconds: Math.round(durationSeconds * 1000) / 1000,
  };
  return inspect(shown, options);
}

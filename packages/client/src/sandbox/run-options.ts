import type { Connection } from "../connection/connection.ts";
import type { SandboxOptions } from "../options/sandbox-options.ts";

/** How to reach the service. */
export interface CallTarget {
  /** Default: one for the whole process, as the environment says. */
  readonly connection?: Connection | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RunOptions extends SandboxOptions, CallTarget {
  /** From the call to a running sandbox, waiting for a turn and for quota included. Default 60. */
  readonly startTimeoutSeconds?: number | undefined;
}

export interface DeleteOptions extends CallTarget {
  /** Answer false, rather than throw, when there is no such sandbox. Default false. */
  readonly missingOk?: boolean | undefined;
}

/** Of `run(command, options)`, `run(command)` and `run(options)`. */
export function toRunOptions(
  first: readonly string[] | RunOptions,
  second: RunOptions,
): RunOptions {
  return isCommand(first) ? { ...second, command: first } : { ...second, ...first };
}

export function isCommand(value: readonly string[] | RunOptions): value is readonly string[] {
  return Array.isArray(value);
}

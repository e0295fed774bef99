import { DEFAULT_STOP_GRACE_SECONDS } from "@tidybox/protocol";
import { NotFoundError, TimeoutError } from "../errors/request-errors.ts";
import { checkSeconds } from "../options/checks.ts";
import { deleteSandbox } from "./delete.ts";
import type { SandboxHandle } from "./handle.ts";
import { pollUntil, recordHasEnded } from "./poll.ts";
import { type SandboxState, toSandboxState } from "./state.ts";

export interface StopOptions {
  /** For the main process, between being asked and being killed. Default 10; 0 kills at once. */
  readonly gracefulShutdownSeconds?: number | undefined;
  /** A sandbox that is not there any more is stopped well enough. Default false. */
  readonly missingOk?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** For all of it, until the sandbox has ended. Default: the grace and 60 more. */
  readonly timeoutSeconds?: number | undefined;
}

export interface StopResult {
  readonly sandboxId: string;
  /** Final; `"unknown"` where the service had forgotten the sandbox. */
  readonly state: SandboxState;
  readonly exitCode: number | undefined;
  /** Its main process had ended before this stop. */
  readonly endedByItself: boolean;
  /** The service did not know it any more. */
  readonly missing: boolean;
}

const STOP_MARGIN_SECONDS = 60;

export interface StopLimits {
  readonly graceSeconds: number;
  readonly timeoutSeconds: number;
}

/** @throws ConfigurationError */
export function stopLimits(options: StopOptions): StopLimits {
  const { gracefulShutdownSeconds: graceSeconds = DEFAULT_STOP_GRACE_SECONDS } = options;
  const { timeoutSeconds = graceSeconds + STOP_MARGIN_SECONDS } = options;
  checkSeconds(graceSeconds, "gracefulShutdownSeconds");
  checkSeconds(timeoutSeconds, "timeoutSeconds");
  return { graceSeconds, timeoutSeconds };
}

/**
 * Stops and waits until it has ended: until then it counts against the quota.
 *
 * @throws NotFoundError, unless `missingOk`
 * @throws the signal's reason
 */
export async function stopSandbox(
  handle: SandboxHandle,
  {
    graceSeconds,
    missingOk,
    signal,
  }: Pick<StopLimits, "graceSeconds"> & {
    readonly missingOk: boolean;
    readonly signal: AbortSignal;
  },
): Promise<StopResult> {
  const answer = await deleteSandbox(handle.connection, handle.id, {
    graceSeconds,
    missingOk,
    signal,
  });
  const state = toSandboxState(answer.record?.status?.state);
  const result = { sandboxId: handle.id, exitCode: undefined, endedByItself: false };
  if (answer.record === undefined)
    return answer.existed ? { ...result, state: "unknown", missing: false } : missing(handle);
  handle.see(answer.record);
  try {
    const ended = recordHasEnded(answer.record)
      ? answer.record
      : await pollUntil(handle, recordHasEnded, signal);
    return {
      ...result,
      state: toSandboxState(ended.status?.state),
      exitCode: ended.status?.exitCode,
      // Our own stop leads through TERMINATING, or straight to TERMINATED (reference 3.4).
      endedByItself: state === "completed" || state === "failed",
      missing: false,
    };
  } catch (error) {
    // Forgotten right after it ended: gone is what was asked for.
    if (error instanceof NotFoundError) return { ...result, state: "unknown", missing: false };
    throw error;
  }
}

/** The result for a sandbox that was not there any more. */
export function missing({ id: sandboxId }: SandboxHandle): StopResult {
  return { sandboxId, state: "unknown", exitCode: undefined, endedByItself: false, missing: true };
}

export function stillThere(handle: SandboxHandle, timeoutSeconds: number): TimeoutError {
  const state = toSandboxState(handle.record?.status?.state);
  return new TimeoutError({
    message: `Sandbox ${handle.id} has not ended within ${timeoutSeconds} s of its stop; it was last seen ${state}.`,
    advice: "The service has been told; if it stays, `Sandbox.delete(id)` tells it again.",
    sandboxId: handle.id,
  });
}

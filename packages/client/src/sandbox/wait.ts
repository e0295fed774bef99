import { DEFAULT_CALL_TIMEOUT_SECONDS } from "@tidybox/protocol";
import { Deadline } from "../connection/deadline.ts";
import { TimeoutError } from "../errors/request-errors.ts";
import { EndOfLog } from "../logs/end-of-log.ts";
import { checkSeconds } from "../options/checks.ts";
import type { SandboxHandle } from "./handle.ts";
import { awaitExitCode, pollUntil, recordHasEnded } from "./poll.ts";
import { type SandboxStatus, toSandboxStatus } from "./status.ts";

export interface WaitOptions {
  /** Default 300; Infinity for none. */
  readonly timeoutSeconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /**
   * Answer with the last lines of the log. They are followed during the wait, because the service
   * gives out no log of a sandbox that has ended. Default false.
   */
  readonly withLog?: boolean | undefined;
}

/** How a sandbox ended. */
export interface WaitResult extends SandboxStatus {
  /**
   * With `withLog`, the last that the main process printed: at most 20 lines and 4096 characters,
   * control characters shown as `\x1b`. Empty too when the sandbox had ended before.
   */
  readonly lastLogLines: readonly string[];
}

/**
 * Waits until the sandbox has ended, by itself or otherwise.
 *
 * @throws TimeoutError when it has not within `timeoutSeconds`; it goes on
 */
export async function waitUntilEnded(
  handle: SandboxHandle,
  { timeoutSeconds = DEFAULT_CALL_TIMEOUT_SECONDS, signal, withLog = false }: WaitOptions,
): Promise<WaitResult> {
  checkSeconds(timeoutSeconds, "timeoutSeconds");
  using deadline = new Deadline(
    timeoutSeconds,
    [signal, handle.closedSignal],
    () =>
      new TimeoutError({
        message: `Sandbox ${handle.id} has not ended within ${timeoutSeconds} s.`,
        sandboxId: handle.id,
      }),
  );
  using log = withLog ? new EndOfLog(handle) : undefined;
  const ended = await pollUntil(handle, recordHasEnded, deadline.signal);
  // A sandbox that was stopped need not have an exit code, so nobody waits for one.
  const status = toSandboxStatus(
    handle.stopping ? ended : await awaitExitCode(handle, ended, deadline.signal),
  );
  return { ...status, lastLogLines: (await log?.lines()) ?? [] };
}

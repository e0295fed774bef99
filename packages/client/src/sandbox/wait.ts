import { DEFAULT_CALL_TIMEOUT_SECONDS } from "@tidybox/protocol";
import { Deadline } from "../connection/waiting.ts";
import { TimeoutError } from "../errors/request-errors.ts";
import { checkSeconds } from "../options/checks.ts";
import type { SandboxHandle } from "./handle.ts";
import { awaitExitCode, pollUntil, recordHasEnded } from "./poll.ts";
import { type SandboxStatus, toSandboxStatus } from "./status.ts";

export interface WaitOptions {
  /** Default 300; Infinity for none. */
  readonly timeoutSeconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Waits until the sandbox has ended, by itself or otherwise.
 *
 * @throws TimeoutError when it has not within `timeoutSeconds`; it goes on
 */
export async function waitUntilEnded(
  handle: SandboxHandle,
  { timeoutSeconds = DEFAULT_CALL_TIMEOUT_SECONDS, signal }: WaitOptions,
): Promise<SandboxStatus> {
  checkSeconds(timeoutSeconds, "timeoutSeconds");
  const outside = [signal, handle.closedSignal].filter((each) => each !== undefined);
  using deadline = new Deadline(
    timeoutSeconds,
    AbortSignal.any(outside),
    () =>
      new TimeoutError({
        message: `Sandbox ${handle.id} has not ended within ${timeoutSeconds} s.`,
        sandboxId: handle.id,
      }),
  );
  const ended = await pollUntil(handle, recordHasEnded, deadline.signal);
  // A sandbox that was stopped need not have an exit code, so nobody waits for one.
  return toSandboxStatus(
    handle.stopping ? ended : await awaitExitCode(handle, ended, deadline.signal),
  );
}

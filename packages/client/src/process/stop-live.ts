import { Deadline } from "../connection/deadline.ts";
import type { CleanupFailure } from "../errors/cleanup-error.ts";
import { TimeoutError } from "../errors/request-errors.ts";
import { asError } from "../sandbox/cleanup-report.ts";
import type { LiveSandbox } from "./live-sandbox.ts";

export interface StopLimits {
  readonly graceSeconds: number;
  /** For all of them together. */
  readonly timeoutSeconds: number;
}

export interface FailedStop extends CleanupFailure {
  readonly sandbox: LiveSandbox;
}

/**
 * Stops all in parallel, and what comes to life meanwhile, until nothing new is there or time is up.
 * What was stopped leaves the map by itself. Keeps the process alive; never throws.
 */
export async function stopLive(
  live: ReadonlyMap<string, LiveSandbox>,
  { graceSeconds, timeoutSeconds }: StopLimits,
): Promise<readonly FailedStop[]> {
  using deadline = new Deadline(
    timeoutSeconds,
    [],
    () => new TimeoutError({ message: `it was not stopped within ${timeoutSeconds} s` }),
  );
  const { signal } = deadline;
  const tried = new Set<LiveSandbox>();
  const failures: FailedStop[] = [];
  for (;;) {
    const next = [...live.values()].filter((sandbox) => !tried.has(sandbox));
    if (next.length === 0 || signal.aborted) return failures;
    await Promise.all(
      next.map(async (sandbox) => {
        tried.add(sandbox);
        try {
          await sandbox.stop({ graceSeconds, signal });
        } catch (error) {
          const { sandboxId, tags } = sandbox;
          failures.push({ sandbox, sandboxId, tags, error: asError(error) });
        }
      }),
    );
  }
}

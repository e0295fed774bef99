import { CleanupError, type CleanupFailure } from "../errors/cleanup-error.ts";
import { asError } from "../sandbox/cleanup-report.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { StopOptions, StopResult } from "../sandbox/stop.ts";

/**
 * Stops sandboxes in parallel, in the same order of results. One that is not there any more counts as
 * stopped, unless `missingOk` is false.
 *
 * @throws CleanupError that has every failure, once all stops have come to their end
 */
export async function stopAll(
  sandboxes: Iterable<Sandbox>,
  options: StopOptions = {},
): Promise<readonly StopResult[]> {
  const { stopped, failures } = await stopEach(sandboxes, options);
  if (failures.length > 0) throw new CleanupError(failures);
  return stopped;
}

/** Like {@link stopAll}, with the failures beside the results. Never throws. */
export async function stopEach(
  sandboxes: Iterable<Sandbox>,
  options: StopOptions,
): Promise<{
  readonly stopped: readonly StopResult[];
  readonly failures: readonly CleanupFailure[];
}> {
  const stopped: StopResult[] = [];
  const failures: CleanupFailure[] = [];
  const all = [...sandboxes];
  const outcomes = await Promise.allSettled(
    all.map((sandbox) => sandbox.stop({ missingOk: true, ...options })),
  );
  for (const [index, outcome] of outcomes.entries()) {
    const sandbox = all[index];
    if (outcome.status === "fulfilled") stopped.push(outcome.value);
    else if (sandbox !== undefined) {
      failures.push({ sandboxId: sandbox.id, tags: sandbox.tags, error: asError(outcome.reason) });
    }
  }
  return { stopped, failures };
}

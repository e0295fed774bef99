import { call } from "../connection/call.ts";
import type { Connection } from "../connection/connection.ts";
import { Deadline } from "../connection/deadline.ts";
import { TimeoutError } from "../errors/request-errors.ts";
import { invalidOption } from "../options/invalid-option.ts";
import { checkTags } from "../options/tags.ts";

export interface PurgeOptions {
  /** Only counts. Default false. */
  readonly dryRun?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Default 60. */
  readonly timeoutSeconds?: number | undefined;
}

export interface PurgeResult {
  /** How many were told to end, or would be. */
  readonly purged: number;
  /** Matched, and could not be stopped. */
  readonly failedIds: readonly string[];
  /** Those of them that another try may stop. */
  readonly retryableFailedIds: readonly string[];
}

const DEFAULT_TIMEOUT_SECONDS = 60;

/**
 * Stops every active sandbox that carries all the tags. Tried again as needed: repeating it
 * converges (reference 3.5).
 *
 * @throws ConfigurationError without a tag: that would mean everything
 */
export async function purgeByTags(
  connection: Connection,
  tags: readonly string[],
  { dryRun = false, signal, timeoutSeconds = DEFAULT_TIMEOUT_SECONDS }: PurgeOptions = {},
): Promise<PurgeResult> {
  checkTags(tags);
  if (tags.length === 0) throw invalidOption("tags", "must name at least one tag to purge by");
  using deadline = new Deadline(
    timeoutSeconds,
    [signal],
    () =>
      new TimeoutError({
        message: `The purge of ${tags.join(" ")} takes longer than ${timeoutSeconds} s.`,
      }),
  );
  const answer = await call(
    connection,
    { action: `purge sandboxes by ${tags.join(" ")}` },
    { retry: "passing", signal: deadline.signal, tryTimeoutSeconds: timeoutSeconds },
    (client, options) => client.purgeSandboxes({ tags: [...tags], dryRun }, options),
  );
  return {
    purged: answer.purgeCount,
    failedIds: answer.failedSandboxIds,
    retryableFailedIds: answer.retryableFailedSandboxIds,
  };
}

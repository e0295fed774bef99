import type { PurgeSandboxesRequest } from "@tidybox/protocol";
import { invalidArgument, notImplemented } from "./failures.ts";
import { hasAllTags } from "./list-sandboxes.ts";
import type { SandboxRegistry } from "./sandbox-registry.ts";

const PURGE_SECONDS = 15;

/** Of what the caller of a purge allows; the rest is for the answer's way back. */
const SHARE_OF_DEADLINE = 0.8;

/** What became of the sandboxes that a purge matched: how many ended, and the ids of the others. */
export interface PurgeOutcome {
  readonly count: number;
  readonly failed: readonly string[];
  /** Those of them that another purge will find, and may stop. */
  readonly retryable: readonly string[];
}

/**
 * Stops all active sandboxes of a scope, side by side. Answers before the caller's deadline, so that
 * it learns which are still stopping then.
 */
export async function purgeSandboxes(
  registry: SandboxRegistry,
  request: PurgeSandboxesRequest,
  leftMilliseconds = Number.POSITIVE_INFINITY,
): Promise<PurgeOutcome> {
  if (request.requestId !== "")
    throw notImplemented("request_id of a purge is reserved: leave it empty");
  if (request.purgeAll === request.tags.length > 0) {
    const description = "exactly one scope: either tags, or purge_all";
    throw invalidArgument([{ field: request.purgeAll ? "tags" : "purge_all", description }]);
  }
  const matching = registry.active().filter((record) => hasAllTags(record, request.tags));
  if (request.dryRun) return { count: matching.length, failed: [], retryable: [] };
  for (const record of matching) record.terminate(0, "it was purged");
  const seconds = Math.min(PURGE_SECONDS, (leftMilliseconds / 1000) * SHARE_OF_DEADLINE);
  await Promise.all(matching.map((record) => record.ended(seconds)));
  const stopping = matching.filter((record) => record.isActive);
  // It has ended as FAILED, and another purge will not see it.
  const notStopped = matching.filter((record) => record.couldNotBeStopped);
  const failed = [...stopping, ...notStopped].map(({ id }) => id);
  return {
    count: matching.length - failed.length,
    failed,
    retryable: stopping.map(({ id }) => id),
  };
}

import type { Snapshot } from "@tidybox/client";
import {
  type RemovedSnapshots,
  isOfAnyRun,
  isOfRun,
  keptIdOf,
  olderThan,
  removeSnapshots,
} from "@tidybox/fixtures";
import type { ReachableBackend } from "../backends.ts";

export interface ReapSnapshotsOptions {
  readonly dryRun: boolean;
  readonly timeoutSeconds: number;
  /** Only those taken at least that long ago. */
  readonly olderThanSeconds?: number;
}

/** What a run that did not come to its end has taken of prepared sandboxes. */
export function reapSnapshotsOfRun(
  backends: readonly ReachableBackend[],
  runId: string,
  options: ReapSnapshotsOptions,
): Promise<RemovedSnapshots> {
  return reapSnapshots(backends, isOfRun(runId), options);
}

/**
 * The kept results of preparations, whoever of the organization has made them. Of runs' own snapshots
 * only those that are older than what is asked for: a younger one may be of a run that lives.
 */
export function reapPrepared(
  backends: readonly ReachableBackend[],
  options: ReapSnapshotsOptions,
): Promise<RemovedSnapshots> {
  const isMeant = (snapshot: Snapshot): boolean =>
    keptIdOf(snapshot) !== undefined ||
    (options.olderThanSeconds !== undefined && isOfAnyRun(snapshot));
  return reapSnapshots(backends, isMeant, options);
}

async function reapSnapshots(
  backends: readonly ReachableBackend[],
  isMeant: (snapshot: Snapshot) => boolean,
  { dryRun, timeoutSeconds, olderThanSeconds }: ReapSnapshotsOptions,
): Promise<RemovedSnapshots> {
  const all = await Promise.all(
    backends.map(({ connection, local }) =>
      removeSnapshots({
        serviceMayEnd: local,
        ...{ connection, timeoutSeconds, dryRun },
        isMeant: olderThan(olderThanSeconds, isMeant),
      }),
    ),
  );
  const unverified = all.flatMap((each) => each.unverified ?? []);
  return {
    removed: all.flatMap(({ removed }) => removed),
    left: all.flatMap(({ left }) => left),
    unverified: unverified.length === 0 ? undefined : unverified.join("; "),
  };
}

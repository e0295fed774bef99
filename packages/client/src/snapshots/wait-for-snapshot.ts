import {
  type FileSystemSnapshot,
  POLL_BACKOFF_FACTOR,
  POLL_INTERVAL_CEILING_SECONDS,
  SNAPSHOT_WAIT_SECONDS,
  SnapshotState,
} from "@tidybox/protocol";
import type { Connection } from "../connection/connection.ts";
import { Deadline } from "../connection/deadline.ts";
import { pause } from "../connection/waiting.ts";
import { TimeoutError } from "../errors/request-errors.ts";
import { SnapshotFailedError } from "../errors/snapshot-errors.ts";
import { checkSeconds } from "../options/checks.ts";
import { getSnapshot } from "./snapshot-calls.ts";

export interface SnapshotWaitOptions {
  /** Default 605; Infinity for none. */
  readonly timeoutSeconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Small volumes are archived within milliseconds. */
const FIRST_PAUSE_SECONDS = 0.01;

/**
 * Waits until a snapshot is ready.
 *
 * @throws SnapshotFailedError when it has failed
 * @throws TimeoutError, with `snapshotId` in its metadata, when it is not in time; it goes on
 */
export async function waitForSnapshot(
  connection: Connection,
  first: FileSystemSnapshot,
  { timeoutSeconds = SNAPSHOT_WAIT_SECONDS, signal }: SnapshotWaitOptions,
): Promise<FileSystemSnapshot> {
  checkSeconds(timeoutSeconds, "timeoutSeconds");
  const { fileSystemSnapshotId: id, sourceSandboxId: sandboxId } = first;
  using deadline = new Deadline(
    timeoutSeconds,
    [signal],
    () =>
      new TimeoutError({
        message: `Snapshot ${id} of sandbox ${sandboxId} is not ready after ${timeoutSeconds} s.`,
        advice: "It is still being taken: `(await Snapshot.fromId(id)).wait()` waits on.",
        sandboxId,
        metadata: { snapshotId: id },
      }),
  );
  let seconds = FIRST_PAUSE_SECONDS;
  for (let snapshot = first; ;) {
    if (snapshot.state === SnapshotState.READY) return snapshot;
    if (snapshot.state === SnapshotState.FAILED) throw failedError(snapshot);
    await pause(seconds, deadline.signal);
    seconds = Math.min(seconds * POLL_BACKOFF_FACTOR, POLL_INTERVAL_CEILING_SECONDS);
    snapshot = await getSnapshot(connection, id, deadline.signal);
  }
}

function failedError(snapshot: FileSystemSnapshot): SnapshotFailedError {
  const { fileSystemSnapshotId: snapshotId, sourceSandboxId, stateReason } = snapshot;
  return new SnapshotFailedError({
    message:
      `Snapshot ${snapshotId} of volume ${snapshot.sourceVolumeName} of sandbox ${sourceSandboxId} failed: ` +
      (stateReason === "" ? "the service gives no reason" : stateReason),
    advice: "Its record stays until it is deleted.",
    sandboxId: sourceSandboxId,
    snapshotId,
    stateReason,
  });
}

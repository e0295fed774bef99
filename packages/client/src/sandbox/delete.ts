import { type Sandbox as SandboxRecord, STOP_DEADLINE_MARGIN_SECONDS } from "@tidybox/protocol";
import { call } from "../connection/call.ts";
import type { Connection } from "../connection/connection.ts";
import { NotFoundError } from "../errors/request-errors.ts";
import { checkText } from "../options/checks.ts";
import { untrackSandbox } from "../process/untrack.ts";

export interface DeleteRequest {
  /** Between SIGTERM and SIGKILL; 0 kills at once. */
  readonly graceSeconds: number;
  readonly missingOk: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Scratch volumes to take snapshots of. Default none. */
  readonly snapshotVolumes?: readonly string[] | undefined;
  /** With `snapshotVolumes`: the same stop, however often it is sent. */
  readonly requestId?: string | undefined;
}

/** `record` is as the answer had it; undefined where the sandbox was not there any more. */
export interface DeleteAnswer {
  readonly existed: boolean;
  readonly record: SandboxRecord | undefined;
  /** One for each of `snapshotVolumes`, in their order. */
  readonly snapshotIds: readonly string[];
}

/** As in the Python SDK (reference 6.2): the service may archive before it answers. */
const SNAPSHOT_STOP_SECONDS = 600;
const SNAPSHOT_STOP_MARGIN_SECONDS = 35;

/**
 * Tells the service to stop a sandbox; it may take a while to end after that. Tried again where that
 * helps: once a try may have been carried out, "not found" means that it was.
 *
 * @throws NotFoundError for an unknown id, unless `missingOk`
 */
export async function deleteSandbox(
  connection: Connection,
  sandboxId: string,
  { graceSeconds, missingOk, signal, snapshotVolumes = [], requestId = "" }: DeleteRequest,
): Promise<DeleteAnswer> {
  checkText(sandboxId, "id");
  const gracePeriodSeconds = Math.ceil(graceSeconds);
  const takesSnapshots = snapshotVolumes.length > 0;
  let maybeDone = false;
  try {
    const { sandbox, fileSystemSnapshotIds } = await call(
      connection,
      { action: "stop a sandbox", sandboxId },
      {
        retry: "passing",
        signal,
        tryTimeoutSeconds: takesSnapshots
          ? gracePeriodSeconds + SNAPSHOT_STOP_SECONDS + SNAPSHOT_STOP_MARGIN_SECONDS
          : Math.max(
              gracePeriodSeconds + STOP_DEADLINE_MARGIN_SECONDS,
              connection.requestTimeoutSeconds,
            ),
        onFailure: (_error, mayHaveBeenDone) => {
          maybeDone ||= mayHaveBeenDone;
          return true;
        },
      },
      (client, options) =>
        client.deleteSandbox(
          {
            sandboxId,
            gracePeriodSeconds,
            // The service refuses it together with snapshots.
            allowMissing: missingOk && !takesSnapshots,
            snapshotVolumes: [...snapshotVolumes],
            requestId,
          },
          options,
        ),
    );
    untrackSandbox(connection.baseUrl, sandboxId);
    return {
      existed: sandbox !== undefined || maybeDone,
      record: sandbox,
      snapshotIds: fileSystemSnapshotIds,
    };
  } catch (error) {
    if (error instanceof NotFoundError) untrackSandbox(connection.baseUrl, sandboxId);
    // Of a lost answer there may be snapshots whose ids nobody knows: that is no success.
    const isFine = maybeDone ? !takesSnapshots : missingOk;
    if (error instanceof NotFoundError && isFine)
      return { existed: maybeDone, record: undefined, snapshotIds: [] };
    throw error;
  }
}

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
}

/** `record` is as the answer had it; undefined where the sandbox was not there any more. */
export interface DeleteAnswer {
  readonly existed: boolean;
  readonly record: SandboxRecord | undefined;
}

/**
 * Tells the service to stop a sandbox; it may take a while to end after that. Tried again where that
 * helps: once a try may have been carried out, "not found" means that it was.
 *
 * @throws NotFoundError for an unknown id, unless `missingOk`
 */
export async function deleteSandbox(
  connection: Connection,
  sandboxId: string,
  { graceSeconds, missingOk, signal }: DeleteRequest,
): Promise<DeleteAnswer> {
  checkText(sandboxId, "id");
  const gracePeriodSeconds = Math.ceil(graceSeconds);
  let maybeDone = false;
  try {
    const { sandbox } = await call(
      connection,
      { action: "stop a sandbox", sandboxId },
      {
        retry: "passing",
        signal,
        tryTimeoutSeconds: Math.max(
          gracePeriodSeconds + STOP_DEADLINE_MARGIN_SECONDS,
          connection.requestTimeoutSeconds,
        ),
        onFailure: (_error, mayHaveBeenDone) => {
          maybeDone ||= mayHaveBeenDone;
          return true;
        },
      },
      (client, options) =>
        client.deleteSandbox({ sandboxId, gracePeriodSeconds, allowMissing: missingOk }, options),
    );
    untrackSandbox(connection.baseUrl, sandboxId);
    return { existed: sandbox !== undefined || maybeDone, record: sandbox };
  } catch (error) {
    if (error instanceof NotFoundError) untrackSandbox(connection.baseUrl, sandboxId);
    if (error instanceof NotFoundError && (maybeDone || missingOk)) {
      return { existed: maybeDone, record: undefined };
    }
    throw error;
  }
}

import { POLL_TIMEOUT_SECONDS, type Sandbox as SandboxRecord } from "@tidybox/protocol";
import { type CallRules, call } from "../connection/call.ts";
import type { Connection } from "../connection/connection.ts";
import { checkText } from "../options/checks.ts";
import type { SandboxHandle } from "./handle.ts";

/** How long a failing service is asked again, and who is told of its failures. */
export type Patience = Pick<CallRules, "outageBudgetSeconds" | "onFailure">;

/** @throws NotFoundError when the service does not know the id */
export function getSandbox(
  connection: Connection,
  sandboxId: string,
  signal?: AbortSignal,
  patience: Patience = {},
): Promise<SandboxRecord> {
  checkText(sandboxId, "id");
  return call(
    connection,
    { action: "look at a sandbox", sandboxId },
    {
      ...patience,
      retry: "passing",
      signal,
      tryTimeoutSeconds: Math.min(POLL_TIMEOUT_SECONDS, connection.requestTimeoutSeconds),
    },
    (client, options) => client.getSandbox({ sandboxId }, options),
  );
}

/** For its user, while the owner has not closed it. @throws SandboxClosedError; NotFoundError */
export async function lookAgain(
  handle: SandboxHandle,
  signal: AbortSignal | undefined,
): Promise<SandboxRecord> {
  handle.throwIfClosed();
  const { closedSignal, connection, id } = handle;
  const either = signal === undefined ? closedSignal : AbortSignal.any([signal, closedSignal]);
  const record = await getSandbox(connection, id, either);
  handle.see(record);
  return record;
}

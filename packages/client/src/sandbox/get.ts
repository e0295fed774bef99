import { POLL_TIMEOUT_SECONDS, type Sandbox as SandboxRecord } from "@tidybox/protocol";
import { type CallRules, call } from "../connection/call.ts";
import type { Connection } from "../connection/connection.ts";
import { checkText } from "../options/checks.ts";

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

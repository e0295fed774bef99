import { POLL_TIMEOUT_SECONDS, type Sandbox as SandboxRecord } from "@tidybox/protocol";
import { call } from "../connection/call.ts";
import type { Connection } from "../connection/connection.ts";
import { checkText } from "../options/checks.ts";

/** @throws NotFoundError when the service does not know the id */
export function getSandbox(
  connection: Connection,
  sandboxId: string,
  signal?: AbortSignal,
): Promise<SandboxRecord> {
  checkText(sandboxId, "id");
  return call(
    connection,
    { action: "look at a sandbox", sandboxId },
    {
      retry: "passing",
      signal,
      tryTimeoutSeconds: Math.min(POLL_TIMEOUT_SECONDS, connection.requestTimeoutSeconds),
    },
    (client, options) => client.getSandbox({ sandboxId }, options),
  );
}

import type { Transport } from "@connectrpc/connect";
import type { Connection } from "./connection.ts";

/** For other services behind the same address, with the same credentials and connections. */
export function transportOf(connection: Connection): Transport {
  return connection.transport;
}

import { EnvironmentVariable } from "@tidybox/protocol";
import { Connection } from "./connection.ts";

let shared: { readonly environment: string; readonly connection: Connection } | undefined;

/**
 * The connection of calls that name none, as the environment says now. One for all of them: a
 * connection for each sandbox would be a handshake for each.
 */
export function sharedConnection(): Connection {
  const environment = JSON.stringify([
    process.env[EnvironmentVariable.BASE_URL],
    process.env[EnvironmentVariable.API_KEY],
  ]);
  if (shared?.environment !== environment) shared = { environment, connection: new Connection() };
  return shared.connection;
}

import type { Connection } from "./connection.ts";

/** Registered, because a connection of one copy of this package may be used by another. */
export const CREDENTIALS: unique symbol = Symbol.for("@tidybox/client/credentials");

/** What another process needs to make the same calls. */
export interface Credentials {
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
}

/** Holds the key: for a pipe, never for a message, argv, the environment or a file. */
export function credentialsOf(connection: Connection): Credentials {
  return connection[CREDENTIALS];
}

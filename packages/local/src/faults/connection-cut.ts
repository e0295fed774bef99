import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import { type ContextValues, createContextKey, createContextValues } from "@connectrpc/connect";

/** Ends the connection of a call, without a word, as a broken network does. */
export const CUT_CONNECTION = createContextKey<() => void>(() => {});

/** What handlers get to know of the connection. */
export function connectionValues(request: IncomingMessage | Http2ServerRequest): ContextValues {
  return createContextValues().set(CUT_CONNECTION, () => {
    // HTTP/2 has many calls on one connection: it is the session that goes, not the socket's proxy.
    if ("stream" in request) request.stream.session?.destroy();
    else request.socket.destroy();
  });
}

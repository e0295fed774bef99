import type { Http2ServerRequest } from "node:http2";
import type { Socket } from "node:net";
import { type ContextValues, createContextKey, createContextValues } from "@connectrpc/connect";

/** Ends the connection of a call, without a word, as a broken network does. */
export const CUT_CONNECTION = createContextKey<() => void>(() => {});

/**
 * What handlers get to know of the connection. It is the socket that goes: a session that is
 * destroyed says goodbye to each call with a reset for no error, of which clients make nothing, and
 * wait on.
 *
 * @param sockets of all connections of the listener; HTTP/2 gives only a proxy of a call's own
 */
export function connectionValues(
  request: Http2ServerRequest,
  sockets: ReadonlySet<Socket>,
): ContextValues {
  return createContextValues().set(CUT_CONNECTION, () => {
    const { remoteAddress, remotePort } = request.socket;
    for (const socket of sockets)
      if (socket.remotePort === remotePort && socket.remoteAddress === remoteAddress)
        socket.destroy();
  });
}

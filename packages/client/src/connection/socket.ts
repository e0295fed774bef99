import { type Socket, connect as connectPlain, isIP } from "node:net";
import { connect as connectTls } from "node:tls";

/** An address that swallows packets is given up after this, not after the deadline of the call. */
const CONNECT_TIMEOUT_MS = 10_000;

export interface SocketOptions {
  /** The process may end while calls are under way on it. */
  readonly unref: boolean;
}

/** Opens the connection under HTTP/2. Errors while connecting are emitted by the socket. */
export function openSocket(authority: URL, { unref }: SocketOptions): Socket {
  const secure = authority.protocol === "https:";
  const host = authority.hostname.replace(/^\[|\]$/g, "");
  const port = authority.port === "" ? (secure ? 443 : 80) : Number(authority.port);
  const socket = secure
    ? connectTls({
        host,
        port,
        ALPNProtocols: ["h2"],
        ...(isIP(host) === 0 ? { servername: host } : {}),
      })
    : connectPlain({ host, port });
  socket.setNoDelay(true);
  const timer = setTimeout(() => {
    const error = new Error(
      `no connection to ${authority.host} within ${CONNECT_TIMEOUT_MS / 1000} s`,
    );
    socket.destroy(Object.assign(error, { code: "ERR_TIDYBOX_CONNECT_TIMEOUT" }));
  }, CONNECT_TIMEOUT_MS);
  timer.unref();
  const settled = () => clearTimeout(timer);
  socket.once(secure ? "secureConnect" : "connect", settled);
  socket.once("close", settled);
  if (unref) {
    socket.unref();
    // The HTTP/2 session refs its socket for as long as a stream is open; a lease always is.
    socket.ref = () => socket;
  }
  return socket;
}

import { once } from "node:events";
import {
  createServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { Code, ConnectError, type ConnectRouter, createConnectRouter } from "@connectrpc/connect";
import { MAX_MESSAGE_BYTES } from "@tidybox/protocol";
import { withDeadline } from "../deadline.ts";
import { LocalServiceError } from "../error.ts";
import { connectionValues } from "../faults/connection-cut.ts";
import { credentialCheck, randomToken } from "./bearer-token.ts";
import { dropEndlessTimeouts } from "./endless-timeouts.ts";
import { type InMemoryConnection, InMemoryConnections } from "./in-memory-connections.ts";
import { unpackingInTurns } from "./unpacking-in-turns.ts";
import { routeHandler } from "./route-handler.ts";

/** Calls that are still running when the listener closes get this long to say how they ended. */
const CLOSE_SECONDS = 1;

const UNAUTHENTICATED = 16;
const BAD_REQUEST = 400;
const REFUSAL = "missing or wrong token: send the metadata `authorization: Bearer <token>`";

export interface LoopbackOptions {
  /** `127.0.0.1` (default), `::1` or `localhost`; any other address is refused. */
  readonly host?: string;
  /** 0 (default): any free one. */
  readonly port?: number;
  /** Default: 256 random bits. */
  readonly token?: string;
  readonly routes: (router: ConnectRouter) => void;
}

export interface LoopbackListener {
  /** Plain HTTP/2 (prior knowledge), with a port always. */
  readonly baseUrl: string;
  readonly token: string;
  /** The same routes for callers in this process, without a socket; they need no token. */
  connectInMemory(): InMemoryConnection;
  /** Ends running calls with UNAVAILABLE and the connections with them. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Serves Connect and gRPC routes on loopback over plain HTTP/2. Every call needs the token,
 * whatever its route. Throws LocalServiceError for an address that is not loopback or not free.
 */
export async function listenOnLoopback(options: LoopbackOptions): Promise<LoopbackListener> {
  const host = loopbackAddress(options.host);
  const token = options.token ?? randomToken();
  if (token.trim() === "") {
    throw new LocalServiceError(
      "local_option_invalid",
      "token must not be empty: leave it out for a random one",
    );
  }
  const shutdown = new AbortController();
  const router = createConnectRouter({
    readMaxBytes: MAX_MESSAGE_BYTES,
    writeMaxBytes: MAX_MESSAGE_BYTES,
    // Nothing is gained by compressing for loopback; what a client compressed is still read.
    compressMinBytes: Number.MAX_SAFE_INTEGER,
    acceptCompression: unpackingInTurns(),
    shutdownSignal: shutdown.signal,
  });
  options.routes(router);
  const sockets = new Set<Socket>();
  const handle = routeHandler(router.handlers, (request) => connectionValues(request, sockets));
  const isAllowed = credentialCheck(token);
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer(
    {
      // In MB. The default of 10 refuses new calls on a connection while one large file is on it.
      maxSessionMemory: 1024,
      // Clients cancel a command's stream once it has told its exit: not an attack here.
      streamResetBurst: 1_000_000,
      streamResetRate: 1_000_000,
    },
    (request, response) => {
      if (!isAllowed(request.headers)) {
        refuse(request, response);
        return;
      }
      dropEndlessTimeouts(request.headers);
      try {
        handle(request, response);
      } catch {
        // Thrown before anything is answered, and nobody else catches it: no URL can be made of the
        // request, whose authority is missing or is none.
        response.writeHead(BAD_REQUEST);
        response.end();
      }
    },
  );
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.listen(options.port ?? 0, host);
  try {
    await once(server, "listening");
  } catch (error) {
    throw new LocalServiceError(
      "local_address_refused",
      `the local service cannot listen on ${host}:${options.port ?? 0}: ${String(error)}. Choose another port, or 0 for any free one.`,
      { cause: error },
    );
  }
  const { port } = server.address() as AddressInfo;
  const baseUrl = `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  const inMemory = new InMemoryConnections(router.handlers, baseUrl);
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    const closed = once(server, "close");
    server.close();
    shutdown.abort(new ConnectError("the local service is closing", Code.Unavailable));
    for (const session of sessions) session.close();
    const late = withDeadline(closed, CLOSE_SECONDS, () => new Error("late")).catch(() => {});
    await Promise.all([late, inMemory.close(CLOSE_SECONDS)]);
    // One that has closed in order waits for its client, who may not be reading any more. Not the
    // sessions: see connection-cut.ts.
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return {
    baseUrl,
    token,
    connectInMemory: () => inMemory.open(),
    close: () => (closing ??= close()),
  };
}

/** The address to listen on; throws LocalServiceError for one that others could reach. */
export function loopbackAddress(host = "127.0.0.1"): string {
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  if (bare === "localhost") return "127.0.0.1";
  if (bare === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(bare)) return bare;
  throw new LocalServiceError(
    "local_address_refused",
    `host ${JSON.stringify(host)} is not a loopback address: whoever reaches the service can run programs here. ` +
      "Use 127.0.0.1 or ::1, and a tunnel for other machines.",
  );
}

/** Before any of the request's body is read. */
function refuse(request: Http2ServerRequest, response: Http2ServerResponse): void {
  const type = request.headers["content-type"] ?? "";
  if (type.startsWith("application/grpc")) {
    response.writeHead(200, {
      "content-type": type,
      "grpc-status": String(UNAUTHENTICATED),
      "grpc-message": encodeURIComponent(REFUSAL),
    });
    response.end();
  } else {
    response.writeHead(401, { "content-type": "application/json" });
    response.end(JSON.stringify({ code: "unauthenticated", message: REFUSAL }));
  }
}

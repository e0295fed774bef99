import type { Interceptor, Transport } from "@connectrpc/connect";
import type * as ConnectNode from "@connectrpc/connect-node";
import type { Socket } from "node:net";
import { ConnectError, Code } from "@connectrpc/connect";
import { MAX_MESSAGE_BYTES } from "@tidybox/protocol";
import { TimeoutError } from "../errors/request-errors.ts";
import type { Credentials } from "./credentials.ts";
import { openSocket } from "./socket.ts";

/** gRPC servers refuse pings that come more often than this, unless told otherwise. */
const PING_INTERVAL_MS = 5 * 60_000;
const PING_TIMEOUT_MS = 15_000;
/** Balancers drop idle connections without a word, often after a few minutes. */
const IDLE_CONNECTION_MS = 2 * 60_000;

/**
 * Of what a connection has still to send. Beyond it Node takes no answer on the connection, to
 * whatever call; its own limit of 10 is less than one file.
 */
const SESSION_MEMORY_MB = 1024;

/** What a Connection makes its calls over. */
export interface ConnectionTransport extends Transport {
  /** Breaks what is under way, too. Later calls throw the reason. Safe to call twice. */
  close(reason: Error): void;
}

export interface TransportOptions {
  readonly baseUrl: string;
  readonly credentials: Credentials;
  readonly unref: boolean;
}

/**
 * gRPC over two HTTP/2 connections, one for unary calls and one for streams: servers limit the
 * streams of a connection, and a hundred long commands must not keep a stop waiting. connect-node is
 * loaded with the first call, because it costs more time than all the rest of this package.
 */
export class ServiceTransport implements ConnectionTransport {
  readonly #options: TransportOptions;
  /** Each is one HTTP/2 connection, opened by its first call and again whenever it was lost. */
  readonly #channels: Record<"unary" | "stream", Promise<Transport> | undefined> = {
    unary: undefined,
    stream: undefined,
  };
  /** Those in use. */
  readonly #sockets = new Set<Socket>();
  #closedBecause: Error | undefined;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  unary: Transport["unary"] = async (...call) => {
    const channel = this.#open("unary");
    const transport = await channel;
    this.#throwIfClosed();
    try {
      return await transport.unary(...call);
    } catch (error) {
      if (ranOutOfTime(error) || call[1]?.reason instanceof TimeoutError)
        this.#retire("unary", channel);
      throw error;
    }
  };

  stream: Transport["stream"] = async (...call) => {
    const channel = this.#open("stream");
    const transport = await channel;
    this.#throwIfClosed();
    const [, signal] = call;
    const onAbort = () => {
      if (signal?.reason instanceof TimeoutError) this.#retire("stream", channel);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    return transport.stream(...call);
  };

  /**
   * Through the sockets and not through the session manager: its abort() takes away the session's
   * error listener, and where the server says goodbye in the same moment the session's last error
   * would end the process.
   */
  close(reason: Error): void {
    this.#closedBecause ??= reason;
    for (const socket of this.#sockets) socket.destroy();
  }

  #open(kind: "unary" | "stream"): Promise<Transport> {
    this.#throwIfClosed();
    this.#channels[kind] ??= openChannel(this.#options, this.#sockets);
    return this.#channels[kind];
  }

  /**
   * After a call ran out of time the next ones get another connection: this one may be half open,
   * which nobody would notice before the next ping, and every call would wait for its limit; and so
   * may the other one. Calls under way on them go on; idle, they close by themselves.
   */
  #retire(kind: "unary" | "stream", channel: Promise<Transport>): void {
    if (this.#channels[kind] !== channel) return;
    this.#channels.unary = undefined;
    this.#channels.stream = undefined;
  }

  #throwIfClosed(): void {
    if (this.#closedBecause !== undefined) throw this.#closedBecause;
  }
}

function ranOutOfTime(error: unknown): boolean {
  return (
    error instanceof ConnectError && error.code === Code.DeadlineExceeded && !error.isWireError
  );
}

let connectNode: Promise<typeof ConnectNode> | undefined;

/**
 * Loads what calls need, now and not with the first of them: for a process that is about to give up
 * the right to read its own installation.
 */
export function preloadWire(): Promise<typeof ConnectNode> {
  connectNode ??= import("@connectrpc/connect-node");
  return connectNode;
}

async function openChannel(
  { baseUrl, credentials, unref }: TransportOptions,
  sockets: Set<Socket>,
): Promise<Transport> {
  const { Http2SessionManager, createGrpcTransport } = await preloadWire();
  const manager = new Http2SessionManager(
    baseUrl,
    {
      pingIntervalMs: PING_INTERVAL_MS,
      pingTimeoutMs: PING_TIMEOUT_MS,
      idleConnectionTimeoutMs: IDLE_CONNECTION_MS,
    },
    {
      maxSessionMemory: SESSION_MEMORY_MB,
      createConnection: (authority) => {
        const socket = openSocket(authority, { unref });
        sockets.add(socket);
        return socket.once("close", () => sockets.delete(socket));
      },
    },
  );
  return createGrpcTransport({
    baseUrl,
    sessionManager: manager,
    readMaxBytes: MAX_MESSAGE_BYTES,
    writeMaxBytes: MAX_MESSAGE_BYTES,
    acceptCompression: [],
    interceptors: [withCredentials(credentials)],
  });
}

function withCredentials(credentials: Credentials): Interceptor {
  return (next) => async (request) => {
    for (const [name, value] of await credentials.metadata()) request.header.set(name, value);
    return next(request);
  };
}

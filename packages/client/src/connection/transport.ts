import type { Interceptor, Transport } from "@connectrpc/connect";
import type * as ConnectNode from "@connectrpc/connect-node";
import type { Socket } from "node:net";
import { AUTHORIZATION_METADATA, MAX_MESSAGE_BYTES } from "@tidybox/protocol";
import { openSocket } from "./socket.ts";

/** gRPC servers refuse pings that come more often than this, unless told otherwise. */
const PING_INTERVAL_MS = 5 * 60_000;
const PING_TIMEOUT_MS = 15_000;
/** Balancers drop idle connections without a word, often after a few minutes. */
const IDLE_CONNECTION_MS = 2 * 60_000;

export interface TransportOptions {
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
  readonly unref: boolean;
}

/** One HTTP/2 connection, opened by its first call and again whenever it was lost. */
interface Channel {
  readonly transport: Transport;
  /** The one in use; those before it were lost. */
  readonly sockets: ReadonlySet<Socket>;
}

/**
 * gRPC over two HTTP/2 connections, one for unary calls and one for streams: servers limit the
 * streams of a connection, and a hundred long commands must not keep a stop waiting. connect-node is
 * loaded with the first call, because it costs more time than all the rest of this package.
 */
export class ServiceTransport implements Transport {
  readonly #options: TransportOptions;
  #unary: Promise<Channel> | undefined;
  #streams: Promise<Channel> | undefined;
  #closedBecause: Error | undefined;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  unary: Transport["unary"] = async (...call) => {
    this.#throwIfClosed();
    this.#unary ??= openChannel(this.#options);
    const { transport } = await this.#unary;
    this.#throwIfClosed();
    return transport.unary(...call);
  };

  stream: Transport["stream"] = async (...call) => {
    this.#throwIfClosed();
    this.#streams ??= openChannel(this.#options);
    const { transport } = await this.#streams;
    this.#throwIfClosed();
    return transport.stream(...call);
  };

  /**
   * Breaks what is under way, too. Later calls throw the reason. Through the sockets and not through
   * the session manager: its abort() takes away the session's error listener, and where the server
   * says goodbye in the same moment the session's last error would end the process.
   */
  close(reason: Error): void {
    this.#closedBecause ??= reason;
    for (const channel of [this.#unary, this.#streams]) {
      void channel?.then(
        ({ sockets }) => {
          for (const socket of sockets) socket.destroy();
        },
        () => {},
      );
    }
  }

  #throwIfClosed(): void {
    if (this.#closedBecause !== undefined) throw this.#closedBecause;
  }
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

async function openChannel({ baseUrl, apiKey, unref }: TransportOptions): Promise<Channel> {
  const { Http2SessionManager, createGrpcTransport } = await preloadWire();
  const sockets = new Set<Socket>();
  const manager = new Http2SessionManager(
    baseUrl,
    {
      pingIntervalMs: PING_INTERVAL_MS,
      pingTimeoutMs: PING_TIMEOUT_MS,
      idleConnectionTimeoutMs: IDLE_CONNECTION_MS,
    },
    {
      createConnection: (authority) => {
        const socket = openSocket(authority, { unref });
        sockets.add(socket);
        return socket.once("close", () => sockets.delete(socket));
      },
    },
  );
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager: manager,
    readMaxBytes: MAX_MESSAGE_BYTES,
    writeMaxBytes: MAX_MESSAGE_BYTES,
    acceptCompression: [],
    interceptors: apiKey === undefined ? [] : [withApiKey(apiKey)],
  });
  return { transport, sockets };
}

function withApiKey(apiKey: string): Interceptor {
  return (next) => (request) => {
    request.header.set(AUTHORIZATION_METADATA, `Bearer ${apiKey}`);
    return next(request);
  };
}

import { setImmediate as nextTurn } from "node:timers/promises";
import { Code, ConnectError, createContextValues, type Transport } from "@connectrpc/connect";
import {
  createUniversalHandlerClient,
  type UniversalClientFn,
  type UniversalClientRequest,
  type UniversalHandler,
  type UniversalHandlerFn,
} from "@connectrpc/connect/protocol";
import { createTransport } from "@connectrpc/connect/protocol-connect";
import { MAX_MESSAGE_BYTES } from "@tidybox/protocol";
import { within } from "../deadline.ts";
import { CUT_CONNECTION } from "../faults/connection-cut.ts";
import { endingWithItsCall } from "./in-memory-streams.ts";

/** A way to the routes of a listener that is no socket, and needs no token: for its own process. */
export interface InMemoryConnection {
  /** Calls are answered as over HTTP/2: messages are copies, errors and deadlines are the same. */
  readonly transport: Transport;
  /** Breaks the calls under way, as the loss of a connection does. Later ones are made as ever. */
  cut(): void;
}

interface Call {
  readonly connection: symbol;
  readonly lost: AbortController;
}

/**
 * Calls of this process to the handlers that a listener serves. It is connect's own
 * createRouterTransport in its two parts, so that handlers are shared with the listener, and calls
 * know the connection that a rehearsal cuts.
 */
export class InMemoryConnections {
  readonly #handlers: readonly UniversalHandler[];
  readonly #baseUrl: string;
  /** Under way, of all connections. */
  readonly #calls = new Set<Call>();
  #idle: PromiseWithResolvers<void> | undefined;
  #closed = false;

  /** @param baseUrl what errors say that cannot be reached */
  constructor(handlers: readonly UniversalHandler[], baseUrl: string) {
    this.#handlers = handlers;
    this.#baseUrl = baseUrl;
  }

  open(): InMemoryConnection {
    const connection = Symbol("in-memory connection");
    const cut = () => this.#cut((call) => call.connection === connection);
    const handlers = this.#handlers.map((handler) => {
      const handle = endingWithItsCall(handler);
      const withValues: UniversalHandlerFn = (request) =>
        handle({ ...request, contextValues: createContextValues().set(CUT_CONNECTION, cut) });
      return Object.assign(withValues, handler);
    });
    const client = createUniversalHandlerClient(handlers);
    const transport = createTransport({
      httpClient: (request) => this.#send(connection, client, request),
      baseUrl: this.#baseUrl,
      useBinaryFormat: true,
      interceptors: [],
      acceptCompression: [],
      sendCompression: null,
      compressMinBytes: Number.MAX_SAFE_INTEGER,
      readMaxBytes: MAX_MESSAGE_BYTES,
      writeMaxBytes: MAX_MESSAGE_BYTES,
    });
    return { transport, cut };
  }

  /** Refuses calls from now on; those under way have so long to say how they ended. */
  async close(seconds: number): Promise<void> {
    this.#closed = true;
    if (this.#calls.size > 0) {
      this.#idle ??= Promise.withResolvers();
      await within(this.#idle.promise, seconds);
    }
    this.#cut(() => true);
  }

  async #send(
    connection: symbol,
    client: UniversalClientFn,
    { signal = new AbortController().signal, ...request }: UniversalClientRequest,
  ) {
    if (this.#closed) throw refused(this.#baseUrl);
    signal.throwIfAborted();
    const call: Call = { connection, lost: new AbortController() };
    this.#calls.add(call);
    // Connect aborts it at the end of each call, however that ends.
    const onEnd = () => this.#end(call, signal.reason);
    signal.addEventListener("abort", onEnd, { once: true });
    // A call is never a part of what its caller is doing, and many in a row keep nobody else waiting.
    await nextTurn();
    call.lost.signal.throwIfAborted();
    return client({ ...request, signal: call.lost.signal });
  }

  #cut(isMeant: (call: Call) => boolean): void {
    for (const call of this.#calls) {
      // What the client of an HTTP/2 connection makes of its loss.
      if (isMeant(call)) this.#end(call, new ConnectError("the connection was cut", Code.Canceled));
    }
  }

  #end(call: Call, reason: unknown): void {
    call.lost.abort(reason);
    if (this.#calls.delete(call) && this.#calls.size === 0) this.#idle?.resolve();
  }
}

/** As from a port where nobody listens any more: clients know that nothing was sent. */
function refused(baseUrl: string): ConnectError {
  const cause = new Error(`the local service at ${baseUrl} is closed`);
  const { message } = Object.assign(cause, { code: "ECONNREFUSED" });
  return new ConnectError(message, Code.Unavailable, undefined, undefined, cause);
}

import type { Transport } from "@connectrpc/connect";
import { Connection } from "./connection.ts";
import type { ConnectionTransport } from "./transport.ts";

/** A service in this very process, as `startLocalService` of `@tidybox/local` gives it. */
export interface ServiceInProcess {
  readonly baseUrl: string;
  readonly token: string;
  connectInMemory(): InMemoryChannel;
}

interface InMemoryChannel {
  readonly transport: Transport;
  /** Breaks the calls that are under way. */
  cut(): void;
}

/**
 * A Connection whose calls go over no socket. Whoever goes on in its place elsewhere, such as the
 * process that cleans up, has the service's address and token.
 */
export function connectInProcess(service: ServiceInProcess): Connection {
  const { baseUrl, token } = service;
  return new Connection({ baseUrl, apiKey: token }, new InMemoryTransport(service));
}

/** As over a socket there is one channel for unary calls, and another for streams. */
class InMemoryTransport implements ConnectionTransport {
  readonly #unary: InMemoryChannel;
  readonly #stream: InMemoryChannel;
  #closedBecause: Error | undefined;

  constructor(service: ServiceInProcess) {
    this.#unary = service.connectInMemory();
    this.#stream = service.connectInMemory();
  }

  unary: Transport["unary"] = async (...call) => {
    this.#throwIfClosed();
    return this.#unary.transport.unary(...call);
  };

  stream: Transport["stream"] = async (...call) => {
    this.#throwIfClosed();
    return this.#stream.transport.stream(...call);
  };

  close(reason: Error): void {
    this.#closedBecause ??= reason;
    this.#unary.cut();
    this.#stream.cut();
  }

  #throwIfClosed(): void {
    if (this.#closedBecause !== undefined) throw this.#closedBecause;
  }
}

import { type Client, type Transport, createClient } from "@connectrpc/connect";
import { SandboxService } from "@tidybox/protocol";
import { ConfigurationError } from "../errors/request-errors.ts";
import { TidyboxError } from "../errors/tidybox-error.ts";
import { resolveBaseUrl } from "./address.ts";
import {
  type ApiKeyProvider,
  Credentials,
  type ServiceAccess,
  type WandbOptions,
} from "./credentials.ts";
import { type ConnectionTransport, ServiceTransport } from "./transport.ts";

export interface ConnectionOptions {
  /** Scheme, host and port. Default: `CWSANDBOX_BASE_URL`, then `https://api.cwsandbox.com`. */
  readonly baseUrl?: string | undefined;
  /**
   * Default: `CWSANDBOX_API_KEY`. Without one, calls carry no credentials. A function is asked before
   * the first call, and again when the service refuses its key (UNAUTHENTICATED): the refused call is
   * then made once more, with the new key.
   */
  readonly apiKey?: string | ApiKeyProvider | undefined;
  /**
   * Call as a user of Weights & Biases. The key is then option `apiKey`, `WANDB_API_KEY` or what
   * `wandb login` has left in `~/.netrc`; `WANDB_SANDBOX_BASE_URL` is looked at too. Default false.
   */
  readonly wandb?: boolean | WandbOptions | undefined;
  /** Limit of one try of a control call such as a get or a delete. Default 30. */
  readonly requestTimeoutSeconds?: number | undefined;
  /**
   * Let the process end even while calls are under way. Default false: the process stays for open
   * calls, though never for an idle connection.
   */
  readonly unref?: boolean | undefined;
}

const DEFAULT_REQUEST_TIMEOUT_SECONDS = 30;

/** Registered, because this package can be there several times, and connections go across. */
const CREDENTIALS: unique symbol = Symbol.for("@tidybox/client/credentials");

/** The key of a connection, which is nobody else's business. */
export function credentialsOf(connection: Connection): Credentials {
  return connection[CREDENTIALS];
}

/** For a process that goes on in place of this one. It holds the key. */
export function accessOf(connection: Connection): ServiceAccess {
  return credentialsOf(connection).access();
}

/** Of this copy of the package or another one. */
export function isConnection(value: Connection | ConnectionOptions): value is Connection {
  return CREDENTIALS in value;
}

/**
 * A way to one sandbox service. Connects with its first call, connects again by itself after a
 * loss, closes what is idle for two minutes, and never keeps a process alive by being idle.
 */
export class Connection {
  /** Origin of the service, such as `https://api.cwsandbox.com`. */
  readonly baseUrl: string;
  /** Seconds. */
  readonly requestTimeoutSeconds: number;
  // Private fields all: what prints a Connection shows no key.
  readonly #transport: ConnectionTransport;
  readonly #client: Client<typeof SandboxService>;
  readonly #credentials: Credentials;
  #answered = false;
  #closed = false;

  /**
   * Reads the environment now, and only for what the options leave open. Opens nothing yet.
   *
   * @param transport @internal in place of one that opens sockets
   * @throws ConfigurationError for an unusable address, key or limit.
   */
  constructor(options: ConnectionOptions = {}, transport?: ConnectionTransport) {
    const { requestTimeoutSeconds = DEFAULT_REQUEST_TIMEOUT_SECONDS, unref = false } = options;
    if (!Number.isFinite(requestTimeoutSeconds) || requestTimeoutSeconds <= 0) {
      throw new ConfigurationError({
        message: `Option requestTimeoutSeconds must be a positive number, not ${requestTimeoutSeconds}.`,
      });
    }
    const { apiKey, wandb = false } = options;
    this.baseUrl = resolveBaseUrl(options.baseUrl, wandb !== false);
    this.requestTimeoutSeconds = requestTimeoutSeconds;
    this.#credentials = new Credentials({
      apiKey,
      wandb,
      baseUrl: this.baseUrl,
      timeoutSeconds: requestTimeoutSeconds,
    });
    this.#transport =
      transport ??
      new ServiceTransport({
        baseUrl: this.baseUrl,
        credentials: this.#credentials,
        unref,
      });
    this.#client = createClient(SandboxService, this.#transport);
  }

  /** For other services behind the same address, with the same credentials. */
  get transport(): Transport {
    return this.#transport;
  }

  /** Calls of the wire, without limits, retries or errors of ours. */
  get client(): Client<typeof SandboxService> {
    return this.#client;
  }

  /** @internal For the other modules of this package, in whichever copy of it. */
  get [CREDENTIALS](): Credentials {
    return this.#credentials;
  }

  /** Whether the service has ever answered here: a first contact is given up sooner. */
  get answered(): boolean {
    return this.#answered;
  }

  noteAnswer(): void {
    this.#answered = true;
  }

  /** From the call of {@link Connection.close} on. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Breaks what is under way; later calls fail. Stops no sandbox. Safe to call twice. */
  close(): void {
    this.#closed = true;
    this.#transport.close(
      new TidyboxError({
        code: "connection_closed",
        message: `The connection to ${this.baseUrl} is closed.`,
        advice: "Make calls before Connection.close(), or make a new Connection.",
      }),
    );
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

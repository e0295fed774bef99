import { type CallOptions, type Client, Code, ConnectError } from "@connectrpc/connect";
import {
  RETRY_BACKOFF_FACTOR,
  RETRY_BUDGET_SECONDS,
  RETRY_HINT_CEILING_SECONDS,
  RETRY_PAUSE_CEILING_SECONDS,
  RETRY_PAUSE_SECONDS,
  type SandboxService,
} from "@tidybox/protocol";
import pRetry from "p-retry";
import { isTlsProblem, reachOf } from "../errors/connect-failure.ts";
import { type CallContext, toTidyboxError } from "../errors/from-connect.ts";
import { QuotaError, TimeoutError, UnavailableError } from "../errors/request-errors.ts";
import { CommandTimeoutError } from "../errors/command-errors.ts";
import { TidyboxError } from "../errors/tidybox-error.ts";
import { isLoopback } from "./address.ts";
import { type Connection, credentialsOf } from "./connection.ts";
import { abortable, pause } from "./waiting.ts";

/** Nobody listens there: on a first contact, and on this very machine at any time, that is final. */
const FIRST_CONTACT_BUDGET_SECONDS = 2.5;

/**
 * What is tried again.
 *
 * - `passing`: whatever passes by itself (reference 5.4); for calls that may be carried out twice
 * - `unsent`: only what the service cannot have seen; for commands and writes
 */
export type RetryKind = "passing" | "unsent";

export interface CallRules {
  readonly retry: RetryKind;
  readonly signal?: AbortSignal | undefined;
  /** Limit of one try. Default: the connection's `requestTimeoutSeconds`. */
  readonly tryTimeoutSeconds?: number | undefined;
  /** Whether RESOURCE_EXHAUSTED passes too. Default true. */
  readonly retryQuota?: boolean | undefined;
  /** For a burst of refusals for want of quota. Default: as for all others. */
  readonly quotaBudgetSeconds?: number | undefined;
  /** For a burst of failures of a service that was there before. Default 30. */
  readonly outageBudgetSeconds?: number | undefined;
  /** Whether the service has begun to carry it out: then a refused key is no reason to send it again. */
  readonly begun?: (() => boolean) | undefined;
  /** Told of each failed try before it is judged. Answering false ends the tries. */
  readonly onFailure?: ((error: TidyboxError, mayHaveBeenDone: boolean) => boolean) | undefined;
}

export type ServiceCall<T> = (
  client: Client<typeof SandboxService>,
  options: CallOptions,
) => Promise<T>;

/** Makes a call within its limits, again where that is safe and may help; errors come out as ours. */
export async function call<T>(
  connection: Connection,
  context: Omit<CallContext, "address">,
  rules: CallRules,
  send: ServiceCall<T>,
): Promise<T> {
  const { signal, tryTimeoutSeconds = connection.requestTimeoutSeconds } = rules;
  const attempt = async (): Promise<T> => {
    const answer = await send(connection.client, {
      timeoutMs: Math.ceil(tryTimeoutSeconds * 1000),
      ...(signal === undefined ? {} : { signal }),
    });
    connection.noteAnswer();
    return answer;
  };
  return withRetries(connection, context, rules, attempt);
}

/** The tries of {@link call}, around any attempt that throws what the transport throws. */
export async function withRetries<T>(
  connection: Connection,
  context: Omit<CallContext, "address">,
  rules: CallRules,
  attempt: () => Promise<T>,
): Promise<T> {
  const { signal } = rules;
  const credentials = credentialsOf(connection);
  let attempts = 0;
  let firstFailureAt: number | undefined;
  const withKey = async (renewed = false): Promise<T> => {
    // Before the limit of the try begins, and so that a failure to get a key is told as one.
    const key = await abortable(credentials.key(), signal);
    attempts += 1;
    try {
      return await attempt();
    } catch (error) {
      // Refused before it was looked at, so this is safe for commands too.
      const again = !renewed && refusesKey(error) && rules.begun?.() !== true;
      if (!again || !(await abortable(credentials.renew(key), signal))) throw error;
      return withKey(true);
    }
  };
  const hinted = (error: Error) =>
    error instanceof TidyboxError ? error.retryDelaySeconds : undefined;
  return pRetry(
    async () => {
      try {
        return await withKey();
      } catch (error) {
        if (signal?.aborted === true) throw signal.reason;
        if (!(error instanceof ConnectError)) throw error;
        throw toTidyboxError(error, {
          ...context,
          address: connection.baseUrl,
          attempts,
          secrets: credentials.secrets(),
        });
      }
    },
    {
      retries: Number.POSITIVE_INFINITY,
      minTimeout: RETRY_PAUSE_SECONDS * 1000,
      maxTimeout: RETRY_PAUSE_CEILING_SECONDS * 1000,
      factor: RETRY_BACKOFF_FACTOR,
      randomize: true,
      ...(signal === undefined ? {} : { signal }),
      // The service's own hint takes the place of our pause.
      shouldConsumeRetry: ({ error }) => hinted(error) === undefined,
      shouldRetry: async ({ error, retryDelay }) => {
        if (!(error instanceof TidyboxError)) return false;
        firstFailureAt ??= performance.now();
        const spentSeconds = (performance.now() - firstFailureAt) / 1000;
        const leftSeconds = budgetFor(error, connection, rules) - spentSeconds;
        // What fails before it is sent, such as getting a key, has no error of the transport.
        const mayHaveBeenDone =
          error.cause instanceof ConnectError && reachOf(error.cause) === "unknown";
        const goOn = rules.onFailure?.(error, mayHaveBeenDone) ?? true;
        // A pause beyond the budget would only put the same answer off.
        if (!goOn || leftSeconds <= retryDelay / 1000 || !passes(error, rules)) return false;
        const hint = hinted(error);
        if (hint !== undefined)
          await pause(Math.min(hint, leftSeconds, RETRY_HINT_CEILING_SECONDS), signal);
        return true;
      },
    },
  );
}

function refusesKey(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.Unauthenticated && error.isWireError;
}

function passes(error: TidyboxError, { retry, retryQuota = true }: CallRules): boolean {
  if (isTlsProblem(error.cause)) return false;
  if (reachOf(error.cause) === "unsent") return true;
  if (retry === "unsent" || error instanceof CommandTimeoutError) return false;
  if (error instanceof QuotaError) return retryQuota;
  return error instanceof UnavailableError || error instanceof TimeoutError;
}

function budgetFor(error: TidyboxError, connection: Connection, rules: CallRules): number {
  if (
    reachOf(error.cause) === "unsent" &&
    (!connection.answered || isLoopback(connection.baseUrl))
  ) {
    return FIRST_CONTACT_BUDGET_SECONDS;
  }
  if (error instanceof QuotaError) return rules.quotaBudgetSeconds ?? RETRY_BUDGET_SECONDS;
  return rules.outageBudgetSeconds ?? RETRY_BUDGET_SECONDS;
}

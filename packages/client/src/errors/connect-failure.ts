import { types } from "node:util";
import { Code, ConnectError } from "@connectrpc/connect";

/**
 * How far a failed call got.
 *
 * - `unsent`: no connection came about, so the service knows nothing of the call
 * - `answered`: the service refused it in so many words
 * - `unknown`: it may have been carried out; the answer is lost, or the service itself cannot say
 */
export type CallReach = "unsent" | "answered" | "unknown";

/** Node's codes for a connection that was never there. */
const NEVER_CONNECTED = new Map<string, string>([
  ["ECONNREFUSED", "connection refused"],
  ["ENOTFOUND", "host name not found"],
  ["EAI_AGAIN", "host name lookup failed"],
  ["EHOSTUNREACH", "host unreachable"],
  ["ENETUNREACH", "network unreachable"],
  ["EADDRNOTAVAIL", "no free local port or address"],
  ["ERR_TIDYBOX_CONNECT_TIMEOUT", "no answer to the connection attempt"],
]);

/** What these say about the call is known only to the other side. */
const AMBIGUOUS_CODES: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.DeadlineExceeded,
  Code.Canceled,
  Code.Aborted,
  Code.Internal,
  Code.Unknown,
  Code.DataLoss,
]);

export function reachOf(error: unknown): CallReach {
  if (!(error instanceof ConnectError)) return "unknown";
  if (connectionProblem(error) !== undefined) return "unsent";
  if (!isFromService(error)) return "unknown";
  return AMBIGUOUS_CODES.has(error.code) ? "unknown" : "answered";
}

/** Why no connection came about, in words; undefined where there was one. */
export function connectionProblem(error: unknown): string | undefined {
  for (const each of causes(error)) {
    const code = nodeCode(each);
    if (code === undefined) continue;
    const words = NEVER_CONNECTED.get(code);
    if (words !== undefined) return words;
    if (isTlsCode(code)) return `TLS failed: ${each.message}`;
  }
  return undefined;
}

/** Another try does not mend a certificate. */
export function isTlsProblem(error: unknown): boolean {
  return causes(error).some((each) => isTlsCode(nodeCode(each) ?? ""));
}

/** Whether the other side sent this status, as opposed to our own end making it up. */
export function isFromService(error: ConnectError): boolean {
  return error.isWireError;
}

/** The connection was there and broke under the call. */
export function isConnectionLost(error: ConnectError): boolean {
  if (isFromService(error)) return false;
  return error.code !== Code.DeadlineExceeded && error.code !== Code.ResourceExhausted;
}

function isTlsCode(code: string): boolean {
  return (
    code.startsWith("ERR_TLS_") ||
    code.startsWith("ERR_SSL_") ||
    code.startsWith("CERT_") ||
    code.includes("SELF_SIGNED_CERT") ||
    code.startsWith("UNABLE_TO_")
  );
}

/** Not by `instanceof`: under Jest, Node's own errors are of another realm than this code. */
function causes(error: unknown): readonly Error[] {
  const chain: Error[] = [];
  for (let each = error; types.isNativeError(each) && !chain.includes(each); each = each.cause) {
    chain.push(each);
  }
  return chain;
}

function nodeCode(error: Error): string | undefined {
  const code: unknown = Reflect.get(error, "code");
  return typeof code === "string" ? code : undefined;
}

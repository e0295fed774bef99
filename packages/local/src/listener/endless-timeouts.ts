import type { IncomingHttpHeaders } from "node:http2";

/** A timer's longest wait, about 24 days: with more it would fire at once. */
const LONGEST_MILLISECONDS = 2 ** 31 - 1;

const UNIT_MILLISECONDS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** A client that waits longer than a timer can waits for ever: takes its timeout out of the headers. */
export function dropEndlessTimeouts(headers: IncomingHttpHeaders): void {
  const [, count, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(textOf(headers, "grpc-timeout")) ?? [];
  if (Number(count) * (UNIT_MILLISECONDS[unit] ?? 0) > LONGEST_MILLISECONDS)
    delete headers["grpc-timeout"];
  if (Number(textOf(headers, "connect-timeout-ms")) > LONGEST_MILLISECONDS)
    delete headers["connect-timeout-ms"];
}

function textOf(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  return typeof value === "string" ? value : "";
}

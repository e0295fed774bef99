import { randomInt } from "node:crypto";
import { Code } from "@connectrpc/connect";
import { LocalServiceError } from "../error.ts";
import type { FaultOptions } from "./fault-options.ts";
import { isRpcKey, RPC_KEYS } from "./rpc-names.ts";

export interface LatencyRange {
  readonly leastSeconds: number;
  readonly mostSeconds: number;
}

/** Each call with that probability, or the first calls. */
export type When =
  | { readonly kind: "probability"; readonly value: number }
  | { readonly kind: "first"; readonly count: number };

export type FailureCode = Code.Unavailable | Code.ResourceExhausted | Code.Internal;

export interface FaultPlan {
  readonly latency: ReadonlyMap<string, LatencyRange>;
  readonly fail: ReadonlyMap<string, { readonly when: When; readonly code: FailureCode }>;
  readonly dropAnswer: ReadonlyMap<string, When>;
  readonly createRate: { readonly count: number; readonly seconds: number } | undefined;
  /** Most sandboxes active at once. */
  readonly quota: number | undefined;
  readonly seed: number;
}

/** Not RPCs: what sandboxes themselves take. */
const OF_SANDBOXES = ["start", "stop"] as const;

const CODES: Readonly<Record<string, FailureCode>> = {
  unavailable: Code.Unavailable,
  resource_exhausted: Code.ResourceExhausted,
  internal: Code.Internal,
};

/** What the wire of a rehearsal carries. */
const MAX_NUMBER = 2 ** 32 - 1;
const MAX_LATENCY_SECONDS = 24 * 3600;
const ALWAYS: When = { kind: "probability", value: 1 };

/** Throws LocalServiceError that names the option. */
export function planFaults(options: FaultOptions): FaultPlan {
  const { seed = randomInt(MAX_NUMBER), createRate, quota } = options;
  checkNumber("seed", seed);
  if (quota !== undefined) checkNumber("quota", quota);
  return {
    latency: entries("latency", options.latency, parseLatency, OF_SANDBOXES),
    fail: entries("fail", options.fail, parseFailure),
    dropAnswer: entries("dropAnswer", options.dropAnswer, parseWhen),
    createRate: createRate === undefined ? undefined : parseRate(createRate),
    quota,
    seed,
  };
}

/** Whether anything at all goes wrong. */
export function injectsFaults(plan: FaultPlan): boolean {
  const sizes = plan.latency.size + plan.fail.size + plan.dropAnswer.size;
  return sizes > 0 || plan.createRate !== undefined || plan.quota !== undefined;
}

function checkNumber(option: string, value: number): void {
  if (Number.isInteger(value) && value >= 0 && value <= MAX_NUMBER) return;
  throw wrong(option, `must be a whole number from 0 to ${MAX_NUMBER}, not ${String(value)}`);
}

function entries<T>(
  option: string,
  values: Readonly<Record<string, string>> = {},
  parse: (text: string) => T | string,
  further: readonly string[] = [],
): ReadonlyMap<string, T> {
  return new Map(
    Object.entries(values).map(([key, text]) => {
      if (!isRpcKey(key) && !further.includes(key)) {
        const known = [...RPC_KEYS, ...further].join(", ");
        throw wrong(option, `has ${JSON.stringify(key)}, which is none of ${known} and no RPC`);
      }
      const parsed = parse(String(text).trim());
      if (typeof parsed === "string")
        throw wrong(option, `${key} must be ${parsed}, not ${JSON.stringify(text)}`);
      return [key, parsed];
    }),
  );
}

function parseLatency(text: string): LatencyRange | string {
  const bounds = text.split("-").map(parseSeconds);
  const [least, most = least] = bounds;
  if (bounds.length > 2 || least === undefined || most === undefined || most < least)
    return 'a time such as "50ms", "2s" or "100ms-2s", at most a day';
  return { leastSeconds: least, mostSeconds: most };
}

function parseSeconds(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text);
  const units: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60 };
  const seconds = match === null ? Number.NaN : Number(match[1]) * (units[match[2] ?? ""] ?? 1);
  return seconds <= MAX_LATENCY_SECONDS ? seconds : undefined;
}

function parseFailure(text: string): { when: When; code: FailureCode } | string {
  const codes = Object.keys(CODES).join(", ");
  const expected = `a probability "0.1", the first calls "3x", a code (${codes}), or both: "0.1:internal"`;
  const [first = "", second] = text.split(":");
  const alone = second === undefined ? CODES[first] : undefined;
  if (alone !== undefined) return { when: ALWAYS, code: alone };
  const when = parseWhen(first);
  const code = second === undefined ? Code.Unavailable : CODES[second];
  return typeof when === "string" || code === undefined || text.split(":").length > 2
    ? expected
    : { when, code };
}

function parseWhen(text: string): When | string {
  const first = /^(\d{1,9})x$/.exec(text);
  if (first !== null) return { kind: "first", count: Number(first[1]) };
  const value = /^(0|1|0?\.\d+|0\.|1\.0+)$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 0 && value <= 1) return { kind: "probability", value };
  return 'a probability from 0 to 1, or the first calls such as "3x"';
}

function parseRate(text: string): { readonly count: number; readonly seconds: number } {
  const match = /^([1-9]\d{0,5})\/(s|min)$/.exec(text.trim());
  if (match === null)
    throw wrong("createRate", `must be such as "5/s" or "30/min", not ${JSON.stringify(text)}`);
  return { count: Number(match[1]), seconds: match[2] === "s" ? 1 : 60 };
}

function wrong(option: string, what: string): LocalServiceError {
  return new LocalServiceError(
    "local_option_invalid",
    `local service: option faults.${option} ${what}`,
  );
}

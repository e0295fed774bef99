import type { OutgoingHttpHeaders } from "node:http2";
import { framed, framingCase, oversizedCase } from "./framing.ts";
import { headersCase } from "./header-cases.ts";
import { messageBytes, type Oddness } from "./messages.ts";
import { mutated, truncated } from "./mutations.ts";
import { Random } from "./random.ts";
import { RPCS, type Rpc } from "./rpcs.ts";
import { disorderedStream } from "./stream-exec-cases.ts";
import type { World } from "./values.ts";

/** One request, whole: what is sent, and what may come back. */
export interface FuzzCase {
  readonly number: number;
  readonly kind: CaseKind;
  readonly rpc: Rpc;
  readonly headers: OutgoingHttpHeaders;
  /** Sent one after the other. */
  readonly chunks: readonly Uint8Array[];
  /** `reset`: the stream is broken off after the chunks. `trickle`: byte by byte, then broken off. */
  readonly ending: "end" | "reset" | "trickle";
  readonly expected?: Expectation;
}

/** What exactly must come back; without one: any right answer or error. */
export type Expectation =
  | { readonly grpcCodes: readonly number[] }
  | { readonly httpStatuses: readonly number[] };

/** A part of a case; the rest is that of a plain gRPC request. */
export type CasePart = Partial<Pick<FuzzCase, "headers" | "ending" | "expected">> &
  Pick<FuzzCase, "chunks">;

export type CaseKind = (typeof KINDS)[number][1];

const KINDS = [
  [32, "plausible message"],
  [20, "odd message"],
  [20, "mutated message"],
  [7, "truncated message"],
  [4, "random bytes"],
  [6, "wrong framing"],
  [1, "oversized"],
  [5, "odd headers"],
  [3, "stream out of order"],
  [2, "broken off"],
] as const;

const INPUTS = RPCS.flatMap(({ input }) => (input === undefined ? [] : [input]));

/** Streams of logs may follow for ever: their clients say how long they want to wait. */
const LOGS_TIMEOUT = "40m";
const TIMEOUT = "20S";

/** The same for the same seed, number and world, whatever ran before. */
export function fuzzCase(seed: number, number: number, world: World): FuzzCase {
  const random = new Random(seed, `case ${number}`);
  const kind = random.weighted(KINDS);
  const rpc = kind === "stream out of order" ? streamExec() : anyRpc(random);
  const part = partOf(kind, rpc, world, random);
  return {
    number,
    kind,
    rpc,
    chunks: part.chunks,
    ending: part.ending ?? "end",
    headers: {
      ":method": "POST",
      ":path": rpc.path,
      "content-type": "application/grpc",
      te: "trailers",
      "grpc-timeout": rpc.streams === "server" ? LOGS_TIMEOUT : TIMEOUT,
      ...part.headers,
    },
    ...(part.expected && { expected: part.expected }),
  };
}

function partOf(kind: CaseKind, rpc: Rpc, world: World, random: Random): CasePart {
  const message = (oddness: Oddness): Uint8Array =>
    // Where no message is described, that of any other.
    messageBytes(rpc.input ?? random.pick(INPUTS), { world, random, oddness });
  switch (kind) {
    case "plausible message":
      return { chunks: [framed(message(0.02))] };
    case "odd message":
      return { chunks: [framed(message(0.5))] };
    case "mutated message":
      return { chunks: [framed(mutated(message(0.02), random))] };
    case "truncated message":
      return { chunks: [framed(truncated(message(0.02), random))] };
    case "random bytes":
      return { chunks: [framed(random.bytes(random.below(200)))] };
    case "wrong framing":
      return framingCase(rpc, message(0.02), random);
    case "oversized":
      return oversizedCase(message(0.02), random);
    case "odd headers":
      return headersCase(rpc, message(0.02), random);
    case "stream out of order":
      return { chunks: disorderedStream(world, random) };
    case "broken off": {
      const whole = framed(message(0.02));
      const ending = random.chance(0.7) ? "reset" : "trickle";
      return { chunks: [whole.subarray(0, random.below(whole.length + 1))], ending };
    }
  }
}

/** The refusals of what is not described are all alike. */
function anyRpc(random: Random): Rpc {
  return random.pick(RPCS.filter((rpc) => rpc.input !== undefined || random.chance(0.15)));
}

function streamExec(): Rpc {
  const found = RPCS.find(({ streams }) => streams === "both");
  if (found === undefined) throw new Error("no RPC streams both ways");
  return found;
}

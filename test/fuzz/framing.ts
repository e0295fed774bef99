import { constants, gzipSync } from "node:zlib";
import { Code } from "@connectrpc/connect";
import { MAX_MESSAGE_BYTES } from "@tidybox/protocol";
import type { CasePart } from "./cases.ts";
import { joined } from "./mutations.ts";
import type { Random } from "./random.ts";
import type { Rpc } from "./rpcs.ts";

const COMPRESSED = 1;

/** A message in the frame that gRPC gives it; `length` may lie. */
export function framed(message: Uint8Array, flags = 0, length = message.length): Uint8Array {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(length, 1);
  return joined(head, message);
}

/** Frames that are not what they say. */
export function framingCase(rpc: Rpc, message: Uint8Array, random: Random): CasePart {
  // UNIMPLEMENTED: "cardinality violation" in gRPC's table of codes, where no message came at all.
  const refused = { grpcCodes: [Code.InvalidArgument, Code.Unimplemented] };
  // A stream ends as it pleases: what it waited for did not come, and that is all.
  const expected = rpc.streams === "both" ? {} : { expected: refused };
  switch (random.below(9)) {
    case 0:
      return { chunks: [], expected: refused };
    case 1:
      return { chunks: [framed(message), framed(message)] };
    case 2:
      return { chunks: [framed(message, 0, message.length + 1 + random.below(1000))], ...expected };
    case 3:
      return { chunks: [framed(message, 0, Math.max(0, message.length - 1 - random.below(9)))] };
    case 4:
      return { chunks: [framed(message, 2 + random.below(254))] };
    case 5:
      return { chunks: [framed(message, COMPRESSED)] };
    case 6:
      return {
        chunks: [framed(message, COMPRESSED)],
        headers: { "grpc-encoding": random.pick(["gzip", "br", "identity", "snappy", ""]) },
      };
    case 7:
      return {
        chunks: [framed(gzipSync(message), COMPRESSED)],
        headers: { "grpc-encoding": "gzip" },
      };
    default:
      // Byte by byte, all of it right.
      return { chunks: [...framed(message)].slice(0, 300).map((byte) => Uint8Array.of(byte)) };
  }
}

let bomb: Uint8Array | undefined;

/** More than a message may have, declared or once it is unpacked; little of it is ever sent. */
export function oversizedCase(message: Uint8Array, random: Random): CasePart {
  const expected = { grpcCodes: [Code.ResourceExhausted] };
  if (random.chance(0.05)) {
    bomb ??= gzipSync(Buffer.alloc(MAX_MESSAGE_BYTES + 1), { level: constants.Z_BEST_COMPRESSION });
    const headers = { "grpc-encoding": "gzip" };
    return { chunks: [framed(bomb, COMPRESSED)], headers, expected };
  }
  const length = random.pick([MAX_MESSAGE_BYTES + 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]);
  return { chunks: [framed(message, 0, length)], expected };
}

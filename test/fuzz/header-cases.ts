import { Code } from "@connectrpc/connect";
import type { CasePart } from "./cases.ts";
import { framed } from "./framing.ts";
import type { Random } from "./random.ts";
import type { Rpc } from "./rpcs.ts";

const UNSUPPORTED_MEDIA_TYPE = 415;
const NOT_FOUND = 404;

/** Requests whose message is right, and whose metadata is not; and those of the other protocols. */
export function headersCase(rpc: Rpc, message: Uint8Array, random: Random): CasePart {
  const chunks = [framed(message)];
  const wait = rpc.streams === "server" ? "40" : "20000";
  switch (random.below(10)) {
    case 0: {
      const type = random.pick([
        "text/plain",
        "",
        "application/grpc+thrift",
        "application/x",
        "*/*",
      ]);
      const expected = { httpStatuses: [UNSUPPORTED_MEDIA_TYPE] };
      return { chunks, headers: { "content-type": type }, expected };
    }
    case 1: {
      const value = random.pick(["", "1", "5x", "-1S", "999999999S", "0n", "1S, 2S", "99999999H"]);
      return { chunks, headers: { "grpc-timeout": value } };
    }
    case 2: {
      const value = random.pick(["x", "gzip, br", "\u00E9", "identity", "g".repeat(1000)]);
      return { chunks, headers: { "grpc-encoding": value, "grpc-accept-encoding": value } };
    }
    case 3: {
      const path = random.pick([
        ...["/", "*", "//", "/coreweave.sandbox.v1.SandboxService", `${rpc.path}/x`],
        ...[rpc.path.toLowerCase(), `/${"a".repeat(5000)}`, "/%00", "/..%2f..%2fetc/passwd"],
      ]);
      return { chunks, headers: { ":path": path }, expected: { httpStatuses: [NOT_FOUND] } };
    }
    case 4:
      return { chunks, headers: { ":path": `${rpc.path}?${random.pick(["", "a=b", "#", "%"])}` } };
    case 5: {
      const authorization = random.pick([
        "",
        "Bearer",
        "Bearer ",
        "Basic eA==",
        "bearer x",
        "\u00E9",
      ]);
      const expected = { grpcCodes: [Code.Unauthenticated] };
      return { chunks, headers: { authorization }, expected };
    }
    case 6: {
      const method = random.pick(["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "POSTS"]);
      return { chunks, headers: { ":method": method } };
    }
    case 7: {
      const headers = {
        "content-type": random.pick(["application/json", "application/connect+json"]),
        "connect-protocol-version": random.pick(["1", "2", ""]),
        "connect-timeout-ms": wait,
      };
      const texts = ["{}", "[]", "{", '{"sandboxId":1}', '{"a":'.repeat(3000), "null", '"\\ud800"'];
      return { chunks: [Buffer.from(random.pick(texts))], headers };
    }
    case 8: {
      const headers = { "content-type": "application/proto", "connect-timeout-ms": wait };
      return { chunks: [message], headers };
    }
    default: {
      const type = random.pick(["application/grpc-web", "application/grpc-web+proto"]);
      return { chunks, headers: { "content-type": type } };
    }
  }
}

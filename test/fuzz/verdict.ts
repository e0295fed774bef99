import { constants } from "node:http2";
import { Code } from "@connectrpc/connect";
import type { FuzzCase } from "./cases.ts";
import type { Answer } from "./send.ts";

const PROTOCOL_ERROR = constants.NGHTTP2_PROTOCOL_ERROR;
const SERVER_ERROR = 500;
const HTTP_NOT_IMPLEMENTED = 501;
const HTTP_UNAVAILABLE = 503;
const HTTP_TIMEOUT = 504;

/**
 * INTERNAL for bad input only where gRPC's own table of status codes has it: "error parsing
 * request proto" and "could not decompress, but compression algorithm supported".
 */
const INTERNAL_BY_GRPC = [
  /^parse binary: /,
  /^received compressed envelope, but do not know how to decompress/,
  /^decompression failed/,
] as const;

/** Those that wait for something of the sandbox's, and so may be waiting when their time is up. */
const WAITING = /\/(Exec|StreamExec|StreamLogs)$/;

/** Those that say UNAVAILABLE and mean "too many at once". */
const LIMITED = /\/(CreateFileSystemSnapshot|DeleteSandbox)$/;

/** What is wrong with an answer; undefined when it is right. */
export function problemOf(
  fuzzCase: FuzzCase,
  answer: Answer,
  hostSecret: string,
): string | undefined {
  if ("body" in answer && answer.body.includes(hostSecret)) return "a file of the host was read";
  const { expected, kind } = fuzzCase;
  if (answer.case === "none") return "no answer";
  // Whoever breaks a call off has no right to an answer, only to an end.
  if (fuzzCase.ending !== "end") return undefined;
  // A header that HTTP/2 itself forbids.
  if (answer.case === "reset" && kind === "odd headers" && answer.code === PROTOCOL_ERROR)
    return undefined;
  if (answer.case === "reset") return `the stream was reset with ${answer.code}`;
  if (answer.case === "http") return problemOfHttp(answer, expected);
  if (expected !== undefined) {
    const codes = "grpcCodes" in expected ? expected.grpcCodes : [];
    if (!codes.includes(answer.code))
      return `${described(answer)}, not ${JSON.stringify(expected)}`;
  }
  return problemOfCode(fuzzCase, answer);
}

function problemOfCode(
  { rpc, kind }: FuzzCase,
  answer: Answer & { readonly case: "grpc" },
): string | undefined {
  const { code, message } = answer;
  const isRight = (): boolean => {
    switch (code) {
      case Code.Unknown:
      case Code.DataLoss:
      case Code.Aborted:
        return false;
      case Code.Internal:
        return INTERNAL_BY_GRPC.some((pattern) => pattern.test(message));
      case Code.DeadlineExceeded:
        return WAITING.test(rpc.path) || kind === "odd headers";
      case Code.Unavailable:
        return LIMITED.test(rpc.path);
      case Code.Unauthenticated:
        return kind === "odd headers";
      default:
        return code >= 0 && code <= 16;
    }
  };
  return isRight() ? undefined : described(answer);
}

function problemOfHttp(
  { status, body }: Answer & { readonly case: "http" },
  expected: FuzzCase["expected"],
): string | undefined {
  const words = `HTTP ${status} ${body.subarray(0, 200).toString()}`;
  if (expected !== undefined) {
    const statuses = "httpStatuses" in expected ? expected.httpStatuses : [];
    if (!statuses.includes(status)) return `${words}, not ${JSON.stringify(expected)}`;
  }
  const isServerError =
    status >= SERVER_ERROR &&
    ![HTTP_NOT_IMPLEMENTED, HTTP_UNAVAILABLE, HTTP_TIMEOUT].includes(status);
  // Connect says "internal" of what it cannot parse, as gRPC does.
  if (isServerError && !/"code":"internal","message":"parse binary: /.test(body.toString()))
    return words;
  return undefined;
}

function described({ code, message }: Answer & { readonly case: "grpc" }): string {
  return `${Code[code] ?? code}: ${message.slice(0, 300)}`;
}

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import type { FuzzCase } from "./cases.ts";

export type Answer =
  | {
      readonly case: "grpc";
      readonly code: number;
      readonly message: string;
      readonly body: Buffer;
    }
  | { readonly case: "http"; readonly status: number; readonly body: Buffer }
  | { readonly case: "reset"; readonly code: number }
  /** Nothing that ends the call, within the time there is. */
  | { readonly case: "none" };

/** Longer than any of the timeouts that requests carry. */
const ANSWER_SECONDS = 40;

const TRICKLE_BYTES = 20;
const TRICKLE_MILLISECONDS = 2;

/** A connection for requests; a new one takes its place when it breaks. */
export class Sender {
  readonly #baseUrl: string;
  readonly #token: string;
  #session: ClientHttp2Session | undefined;

  constructor(baseUrl: string, token: string) {
    this.#baseUrl = baseUrl;
    this.#token = token;
  }

  async send(fuzzCase: FuzzCase): Promise<Answer> {
    const headers = { authorization: `Bearer ${this.#token}`, ...fuzzCase.headers };
    const stream = this.#connected().request(headers, { endStream: false });
    const answered = answerOf(stream);
    for (const chunk of fuzzCase.chunks) {
      if (fuzzCase.ending === "trickle") await trickle(stream, chunk);
      else if (!stream.destroyed) stream.write(chunk);
    }
    if (fuzzCase.ending === "end") stream.end();
    else stream.close(constants.NGHTTP2_CANCEL);
    return answered;
  }

  close(): void {
    this.#session?.destroy();
  }

  #connected(): ClientHttp2Session {
    const current = this.#session;
    if (current !== undefined && !current.destroyed && !current.closed) return current;
    const session = connect(this.#baseUrl);
    // What a broken connection means for a request, its stream says.
    session.on("error", () => {});
    session.setMaxListeners(0);
    this.#session = session;
    return session;
  }
}

async function trickle(stream: ClientHttp2Stream, chunk: Uint8Array): Promise<void> {
  for (const byte of chunk.subarray(0, TRICKLE_BYTES)) {
    if (stream.destroyed) return;
    stream.write(Uint8Array.of(byte));
    await sleep(TRICKLE_MILLISECONDS);
  }
}

function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  return new Promise((resolve) => {
    let headers: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders = {};
    let status = 0;
    const chunks: Buffer[] = [];
    const late = setTimeout(() => {
      resolve({ case: "none" });
      stream.close(constants.NGHTTP2_CANCEL);
    }, ANSWER_SECONDS * 1000);
    stream.on("response", (received) => {
      headers = received;
      status = Number(received[":status"]);
    });
    stream.on("trailers", (received) => (trailers = received));
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", () => {});
    stream.once("close", () => {
      clearTimeout(late);
      const code = trailers["grpc-status"] ?? headers["grpc-status"];
      const message = trailers["grpc-message"] ?? headers["grpc-message"];
      const body = Buffer.concat(chunks);
      if (code !== undefined)
        resolve({
          case: "grpc",
          code: Number(code),
          message: decoded(String(message ?? "")),
          body,
        });
      else if (status !== 0) resolve({ case: "http", status, body });
      else resolve({ case: "reset", code: stream.rstCode ?? -1 });
    });
  });
}

function decoded(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}

import {
  connect,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type OutgoingHttpHeaders,
} from "node:http2";

export interface RawCall {
  readonly baseUrl: string;
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
  /** Bytes of one request message; each call sends one. */
  readonly message?: Uint8Array;
}

export interface RawAnswer {
  readonly headers: IncomingHttpHeaders & IncomingHttpStatusHeader;
  /** Empty where the headers were already the end. */
  readonly trailers: IncomingHttpHeaders;
  /** As they are framed: one byte of flags, four of length. */
  readonly messages: readonly { readonly flags: number; readonly bytes: Buffer }[];
}

const SECONDS = 10;

/** A gRPC call as bytes over plain HTTP/2, on a connection of its own; no library reads the answer. */
export function rawCall({ baseUrl, path, headers = {}, message }: RawCall): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const session = connect(baseUrl);
    session.on("error", reject);
    session.setTimeout(SECONDS * 1000, () => session.destroy(new Error(`${path}: no answer`)));
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    const chunks: Buffer[] = [];
    let answered: RawAnswer["headers"] = {};
    let trailers: IncomingHttpHeaders = {};
    stream.on("response", (received) => (answered = received));
    stream.on("trailers", (received) => (trailers = received));
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("end", () => {
      session.close();
      resolve({ headers: answered, trailers, messages: messagesOf(Buffer.concat(chunks)) });
    });
    stream.end(framed(message ?? new Uint8Array()));
  });
}

function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function messagesOf(body: Buffer): RawAnswer["messages"] {
  const messages: { flags: number; bytes: Buffer }[] = [];
  for (let at = 0; at < body.length;) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    messages.push({ flags: body.readUInt8(at), bytes: body.subarray(at + 5, end) });
    at = end;
  }
  return messages;
}

import { connect, type Socket } from "node:net";
import { joined } from "./mutations.ts";
import type { Random } from "./random.ts";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const WINDOW_UPDATE = 8;
const CONTINUATION = 9;

const END_STREAM = 1;
const END_HEADERS = 4;
const INITIAL_WINDOW_SIZE = 4;
const CANCEL = 8;

/** How long a connection is left to itself once all is written; most are ended by the service. */
const OPEN_MILLISECONDS = 100;

export interface RawConnection {
  readonly kind: string;
  readonly bytes: Uint8Array;
}

/** Connections that a well-behaved client never makes, by bytes. */
export function rawConnection(token: string, path: string, random: Random): RawConnection {
  const hello = joined(PREFACE, frame(SETTINGS, 0, 0));
  const call = (stream: number, end = false): Uint8Array =>
    headersFrame(stream, [...requestHeaders(path), ["authorization", `Bearer ${token}`]], end);
  const all = (count: number, make: (stream: number) => Uint8Array): Uint8Array =>
    joined(hello, ...Array.from({ length: count }, (_, index) => make(2 * index + 1)));
  const kinds: readonly (() => RawConnection)[] = [
    () => ({ kind: "no HTTP/2 at all", bytes: random.bytes(random.below(3000)) }),
    () => ({ kind: "HTTP/1.1", bytes: Buffer.from("GET / HTTP/1.1\r\nhost: x\r\n\r\n") }),
    () => ({ kind: "half a preface", bytes: PREFACE.subarray(0, random.below(PREFACE.length)) }),
    () => ({ kind: "random frames", bytes: all(50, () => randomFrame(random)) }),
    () => ({ kind: "settings without end", bytes: all(1000, () => frame(SETTINGS, 0, 0)) }),
    () => ({
      kind: "pings without end",
      bytes: all(1000, () => frame(PING, 0, 0, Buffer.alloc(8))),
    }),
    () => ({ kind: "calls left half open", bytes: all(200, (stream) => call(stream)) }),
    () => ({
      kind: "calls reset at once",
      bytes: all(300, (stream) =>
        joined(call(stream), frame(RST_STREAM, 0, stream, number(CANCEL))),
      ),
    }),
    () => ({
      kind: "a window that never opens",
      bytes: joined(
        ...[PREFACE, frame(SETTINGS, 0, 0, setting(INITIAL_WINDOW_SIZE, 0))],
        ...[call(1), frame(DATA, END_STREAM, 1, Buffer.alloc(5)), call(3), call(5, true)],
      ),
    }),
    () => ({
      kind: "a call without an authority",
      bytes: joined(
        hello,
        headersFrame(1, [
          ...requestHeaders(path).filter(([name]) => name !== ":authority"),
          ["authorization", `Bearer ${token}`],
        ]),
      ),
    }),
    () => ({
      kind: "a call whose authority is none",
      bytes: joined(
        hello,
        headersFrame(1, [
          ...requestHeaders(path).map(([name, value]): Header =>
            name === ":authority"
              ? [name, random.pick(["", "a b", "[", "x:y", "@", "%"])]
              : [name, value],
          ),
          ["authorization", `Bearer ${token}`],
        ]),
      ),
    }),
    () => ({
      kind: "headers without end",
      bytes: joined(
        ...[hello, frame(HEADERS, 0, 1, literal("x", "y"))],
        ...Array.from({ length: 500 }, () =>
          frame(CONTINUATION, 0, 1, literal("x", "y".repeat(500))),
        ),
      ),
    }),
    () => ({
      kind: "a stream used twice",
      bytes: joined(hello, call(1, true), call(1, true), call(2)),
    }),
    () => ({
      kind: "data for nobody",
      bytes: all(3, (stream) => frame(DATA, 0, stream, random.bytes(9))),
    }),
    () => ({
      kind: "windows that overflow",
      bytes: joined(
        hello,
        call(1),
        ...Array.from({ length: 3 }, () => frame(WINDOW_UPDATE, 0, 1, number(2 ** 31 - 1))),
      ),
    }),
    () => ({
      kind: "a frame of 16 MiB, announced",
      bytes: joined(hello, head(2 ** 24 - 1, DATA, 0, 1)),
    }),
    () => ({
      kind: "much data without a token",
      bytes: joined(
        ...[hello, headersFrame(1, requestHeaders(path))],
        ...Array.from({ length: 4 }, () => frame(DATA, 0, 1, Buffer.alloc(15_000))),
      ),
    }),
  ];
  return random.pick(kinds)();
}

/** Sends the bytes and leaves; says when the connection is gone. */
export function play({ bytes }: RawConnection, port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket: Socket = connect(port, "127.0.0.1");
    const timer = setTimeout(() => socket.destroy(), OPEN_MILLISECONDS);
    // What the service says to it is nothing to go by.
    socket.on("data", () => {}).on("error", () => {});
    socket.once("connect", () => socket.write(bytes));
    socket.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

type Header = readonly [name: string, value: string];

function requestHeaders(path: string): readonly Header[] {
  return [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", path],
    [":authority", "127.0.0.1"],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
  ];
}

function headersFrame(stream: number, headers: readonly Header[], end = false): Uint8Array {
  const flags = END_HEADERS | (end ? END_STREAM : 0);
  return frame(
    HEADERS,
    flags,
    stream,
    joined(...headers.map(([name, value]) => literal(name, value))),
  );
}

/** HPACK: not indexed, name and value as they are. */
function literal(name: string, value: string): Uint8Array {
  return joined(Uint8Array.of(0), hpackText(name), hpackText(value));
}

function hpackText(text: string): Uint8Array {
  const bytes = Buffer.from(text);
  const length: number[] = [];
  if (bytes.length < 127) length.push(bytes.length);
  else {
    length.push(127);
    let rest = bytes.length - 127;
    for (; rest >= 128; rest >>>= 7) length.push((rest & 127) | 128);
    length.push(rest);
  }
  return joined(Uint8Array.from(length), bytes);
}

function randomFrame(random: Random): Uint8Array {
  const payload = random.bytes(random.below(30));
  return frame(random.below(12), random.below(256), random.below(8), payload);
}

function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)) {
  return joined(head(payload.length, type, flags, stream), payload);
}

function head(length: number, type: number, flags: number, stream: number): Uint8Array {
  const bytes = Buffer.alloc(9);
  bytes.writeUIntBE(length, 0, 3);
  bytes.writeUInt8(type, 3);
  bytes.writeUInt8(flags, 4);
  bytes.writeUInt32BE(stream, 5);
  return bytes;
}

function setting(id: number, value: number): Uint8Array {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt16BE(id, 0);
  bytes.writeUInt32BE(value, 2);
  return bytes;
}

function number(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value, 0);
  return bytes;
}

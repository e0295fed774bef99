import { connect, type OutgoingHttpHeaders } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { Code } from "@connectrpc/connect";
import { SandboxService } from "@tidybox/protocol";
import { expect, test } from "vitest";
import { connectTo, pause, refusalOf } from "../testing/test-service.ts";
import { listenOnLoopback } from "./listen-on-loopback.ts";

test("serves any routes behind its token, and tells running calls that it closes", async () => {
  const listener = await listenOnLoopback({
    routes: (router) =>
      router.service(SandboxService, {
        getSandbox: ({ sandboxId }) => ({ sandboxId }),
        async *streamLogs(_, context) {
          yield { data: new Uint8Array([1]) };
          await new Promise((_resolve, reject) => {
            context.signal.addEventListener("abort", () => reject(context.signal.reason as Error));
          });
        },
      }),
  });
  const client = connectTo(listener.baseUrl, listener.token);
  expect((await client.getSandbox({ sandboxId: "echo" })).sandboxId).toBe("echo");
  expect(listener.token).toMatch(/^[\w-]{43}$/);
  const other = connectTo(listener.baseUrl, `${listener.token.slice(0, -1)}_`);
  expect(await refusalOf(other.getSandbox({}))).toMatchObject({ code: Code.Unauthenticated });
  const logs = client.streamLogs({})[Symbol.asyncIterator]();
  await logs.next();
  const cut = refusalOf(logs.next());
  await Promise.all([listener.close(), listener.close()]);
  expect(await cut).toMatchObject({
    code: Code.Unavailable,
    message: expect.stringContaining("closing"),
  });
  expect((await refusalOf(client.getSandbox({ sandboxId: "late" }))).code).not.toBe(
    Code.Unauthenticated,
  );
});

/** Longer than a timer that fires at once. */
const ANSWER_MILLISECONDS = 50;

const PATH = "/coreweave.sandbox.v1.SandboxService/GetSandbox";

/** What a call with these headers ends with: an HTTP status, or that of gRPC. */
function statusOf(
  { baseUrl, token }: { readonly baseUrl: string; readonly token: string },
  headers: OutgoingHttpHeaders,
  body: Uint8Array,
): Promise<{ readonly http: number; readonly grpc: string }> {
  return new Promise((resolve, reject) => {
    const session = connect(baseUrl);
    session.on("error", reject);
    const stream = session.request({
      ":method": "POST",
      ":path": PATH,
      "content-type": "application/grpc",
      te: "trailers",
      authorization: `Bearer ${token}`,
      ...headers,
    });
    let http = 0;
    let grpc: unknown;
    stream.on("response", (received) => {
      http = Number(received[":status"]);
      grpc = received["grpc-status"];
    });
    stream.on("trailers", (received) => (grpc = received["grpc-status"]));
    stream.on("error", reject).resume().end(body);
    stream.once("close", () => {
      session.close();
      resolve({ http, grpc: String(grpc) });
    });
  });
}

function framed(message: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function echo() {
  return listenOnLoopback({
    routes: (router) =>
      router.service(SandboxService, {
        getSandbox: async ({ sandboxId }, { signal }) => {
          await sleep(ANSWER_MILLISECONDS);
          signal.throwIfAborted();
          return { sandboxId };
        },
      }),
  });
}

test("answers a request whose authority is none, and goes on", async () => {
  const listener = await echo();
  for (const authority of ["[", "x:y"]) {
    const headers = { ":authority": authority };
    expect(await statusOf(listener, headers, framed(Buffer.alloc(0)))).toMatchObject({ http: 400 });
  }
  const { sandboxId } = await connectTo(listener.baseUrl, listener.token).getSandbox({
    sandboxId: "echo",
  });
  expect(sandboxId).toBe("echo");
  await listener.close();
});

test("takes a timeout longer than any timer for none", async () => {
  const listener = await echo();
  const answered = (headers: OutgoingHttpHeaders) =>
    statusOf(listener, headers, framed(Buffer.alloc(0)));
  for (const timeout of ["99999999H", "99999999M", "99999999S", "1H"])
    expect(await answered({ "grpc-timeout": timeout }), timeout).toMatchObject({ grpc: "0" });
  expect(await answered({ "grpc-timeout": "1m" })).toMatchObject({ grpc: "4" });
  await listener.close();
});

test("reads compressed messages, many at once, and refuses those that become too large", async () => {
  const listener = await echo();
  const headers = { "grpc-encoding": "gzip" };
  const small = framed(gzipSync(Buffer.from([0x0a, 1, 0x41])), 1);
  const large = framed(gzipSync(Buffer.alloc(101 * 1024 * 1024)), 1);
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, index) =>
      statusOf(listener, headers, index % 4 === 0 ? large : small),
    ),
  );
  expect(answers.map(({ grpc }) => grpc)).toEqual(
    answers.map((_, index) => (index % 4 === 0 ? "8" : "0")),
  );
  await listener.close();
});

test("closes although a client no longer reads what it was answered", async () => {
  const listener = await listenOnLoopback({
    routes: (router) =>
      router.service(SandboxService, {
        async *streamLogs() {
          yield { data: new Uint8Array([1]) };
          await pause(50);
          yield { data: new Uint8Array([2]) };
        },
      }),
  });
  const client = connectTo(listener.baseUrl, listener.token);
  await client.streamLogs({})[Symbol.asyncIterator]().next();
  await pause(200);
  await listener.close();
}, 10_000);

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

import { setTimeout as sleep } from "node:timers/promises";
import { Code, createClient } from "@connectrpc/connect";
import { DiscoveryService, SandboxService } from "@tidybox/protocol";
import { expect, test } from "vitest";
import { Requests } from "../testing/requests.ts";
import { transportOf } from "../testing/started-services.ts";
import { refusalOf } from "../testing/test-service.ts";
import { listenOnLoopback } from "./listen-on-loopback.ts";

/** Handlers that end when they are told to, or not even then, and what became of them. */
async function started() {
  const begun: string[] = [];
  const ended: string[] = [];
  const release = Promise.withResolvers<void>();
  const listener = await listenOnLoopback({
    routes: (router) =>
      router.service(SandboxService, {
        getSandbox: async ({ sandboxId }, { signal }) => {
          begun.push(sandboxId);
          if (sandboxId === "bug") throw new Error("a secret of the service");
          if (sandboxId === "deaf") await release.promise;
          if (sandboxId === "heeds")
            await new Promise((_resolve, reject) => {
              signal.addEventListener("abort", () => reject(signal.reason as Error));
            });
          return { sandboxId };
        },
        async *streamExec(requests) {
          try {
            for await (const { message } of requests) begun.push(String(message.case));
            yield {};
          } finally {
            ended.push("exec");
          }
        },
        async *streamLogs({ sandboxId }) {
          begun.push(sandboxId);
          try {
            for (let index = 0; ; index += 1) {
              yield { data: new Uint8Array([index]) };
              await sleep(1);
            }
          } finally {
            ended.push(sandboxId);
          }
        },
      }),
  });
  return { listener, begun, ended, release };
}

test("a cut breaks the calls of its own connection, and no later ones", async () => {
  const { listener, release } = await started();
  const [one, two] = [listener.connectInMemory(), listener.connectInMemory()];
  const first = createClient(SandboxService, one.transport);
  const second = createClient(SandboxService, two.transport);
  const cut = refusalOf(first.getSandbox({ sandboxId: "deaf" }));
  const untouched = second.getSandbox({ sandboxId: "deaf" });
  await first.getSandbox({});
  one.cut();
  expect(await cut).toMatchObject({ code: Code.Canceled, error: { isWireError: false } });
  expect(await first.getSandbox({ sandboxId: "x" })).toMatchObject({ sandboxId: "x" });
  release.resolve();
  expect(await untouched).toMatchObject({ sandboxId: "deaf" });
  await listener.close();
});

test("a stream that its caller leaves is ended where it stands", async () => {
  const { listener, ended } = await started();
  for (const transport of [listener.connectInMemory().transport, transportOf(listener)]) {
    const caller = new AbortController();
    const { signal } = caller;
    const client = createClient(SandboxService, transport);
    const logs = client.streamLogs({ sandboxId: "left" }, { signal });
    await logs[Symbol.asyncIterator]().next();
    caller.abort();
    await expect.poll(() => ended.splice(0)).toEqual(["left"]);
  }
  await listener.close();
});

test("who waits for more of a caller learns that there will be none", async () => {
  const { listener, begun, ended } = await started();
  for (const transport of [listener.connectInMemory().transport, transportOf(listener)]) {
    const caller = new AbortController();
    const { signal } = caller;
    const requests = new Requests();
    requests.send({ case: "init", value: {} });
    const client = createClient(SandboxService, transport);
    const left = refusalOf(client.streamExec(requests, { signal })[Symbol.asyncIterator]().next());
    await expect.poll(() => begun.splice(0)).toEqual(["init"]);
    caller.abort();
    expect((await left).code).toBe(Code.Canceled);
    await expect.poll(() => ended.splice(0)).toEqual(["exec"]);
  }
  await listener.close();
});

test("a stream that is cut ends with its connection", async () => {
  const { listener, ended } = await started();
  const { transport, cut } = listener.connectInMemory();
  const logs = createClient(SandboxService, transport).streamLogs({})[Symbol.asyncIterator]();
  await logs.next();
  cut();
  await expect.poll(() => ended).toHaveLength(1);
  expect((await refusalOf(logs.next())).code).toBe(Code.Canceled);
  await listener.close();
});

test("calls under way at the close are told of it, and those that do not end are cut", async () => {
  const { listener, release } = await started();
  const client = createClient(SandboxService, listener.connectInMemory().transport);
  const heeds = refusalOf(client.getSandbox({ sandboxId: "heeds" }));
  const deaf = refusalOf(client.getSandbox({ sandboxId: "deaf" }));
  await client.getSandbox({});
  await Promise.all([listener.close(), listener.close()]);
  expect(await heeds).toMatchObject({
    code: Code.Unavailable,
    message: "the local service is closing",
    error: { isWireError: true },
  });
  expect(await deaf).toMatchObject({ code: Code.Canceled, error: { isWireError: false } });
  expect(await refusalOf(client.getSandbox({}))).toMatchObject({
    code: Code.Unavailable,
    error: { isWireError: false, cause: { code: "ECONNREFUSED" } },
  });
  release.resolve();
});

test("what is not served is unimplemented, as over a socket", async () => {
  const { listener } = await started();
  for (const transport of [listener.connectInMemory().transport, transportOf(listener)]) {
    const discovery = createClient(DiscoveryService, transport);
    expect((await refusalOf(discovery.listAvailableRunners({}))).code).toBe(Code.Unimplemented);
    const sandboxes = createClient(SandboxService, transport);
    expect((await refusalOf(sandboxes.deleteSandbox({}))).code).toBe(Code.Unimplemented);
  }
  await listener.close();
});

test("many calls in a row keep nobody else waiting", async () => {
  const { listener, begun } = await started();
  const client = createClient(SandboxService, listener.connectInMemory().transport);
  const turn = new AbortController();
  setImmediate(() => turn.abort());
  while (!turn.signal.aborted && begun.length < 1000) await client.getSandbox({ sandboxId: "x" });
  expect(begun.length).toBeLessThan(10);
  await listener.close();
});

test("an error of the service's own is told as little as over a socket", async () => {
  const { listener } = await started();
  const client = createClient(SandboxService, listener.connectInMemory().transport);
  const { code, message } = await refusalOf(client.getSandbox({ sandboxId: "bug" }));
  expect({ code, message }).toEqual({ code: Code.Internal, message: "internal error" });
  await listener.close();
});

test("a call that is given up before its turn is not begun", async () => {
  const { listener, begun } = await started();
  const { transport, cut } = listener.connectInMemory();
  const client = createClient(SandboxService, transport);
  const call = refusalOf(client.getSandbox({ sandboxId: "early" }));
  // Once the call is with the connection.
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  cut();
  expect((await call).code).toBe(Code.Canceled);
  await client.getSandbox({ sandboxId: "later" });
  expect(begun).toEqual(["later"]);
  await listener.close();
});

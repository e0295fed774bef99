import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { afterEach, describe, expect, test } from "vitest";
import { create } from "@bufbuild/protobuf";
import { Code, type ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { ErrorReason, SandboxService, SandboxSpecSchema } from "@tidybox/protocol";
import { type LocalService, type LocalServiceOptions, startLocalService } from "../index.ts";
import { Requests } from "../testing/requests.ts";
import { transportOf } from "../testing/started-services.ts";
import {
  createRunning,
  eventually,
  refusalOf,
  run,
  type ServiceClient,
  specOf,
  untilEnded,
} from "../testing/test-service.ts";

const services: LocalService[] = [];
afterEach(async () => {
  for (const service of services.splice(0)) await service.close();
});

/** In this process, with a client of the one way and a client over a socket to look on. */
async function started(way: Way, options: LocalServiceOptions = {}) {
  const service = await startLocalService({ engine: "process", ...options });
  services.push(service);
  return {
    service,
    client: createClient(SandboxService, way(service)),
    onlooker: createClient(SandboxService, transportOf(service)),
  };
}

type Way = (service: LocalService) => Transport;

const WAYS: readonly (readonly [name: string, way: Way])[] = [
  ["over a socket", transportOf],
  ["in memory", (service) => service.connectInMemory().transport],
];

const make = (client: ServiceClient, tags: string[] = []) =>
  client.createSandbox({ sandbox: { spec: create(SandboxSpecSchema, specOf({}, { tags })) } });

const details = (error: ConnectError) =>
  error.details.map((detail) =>
    "desc" in detail
      ? "not of the wire"
      : { type: detail.type, value: Buffer.from(detail.value).toString("base64") },
  );

/** As Node says it of a connection. */
const isRefused = (cause: unknown): boolean =>
  cause instanceof Error && "code" in cause && cause.code === "ECONNREFUSED";

describe.each(WAYS)("a service called %s", (_, way) => {
  test("creates, tells, lists, deletes", async () => {
    const { client } = await started(way);
    const sandboxId = await createRunning(client, specOf({}, { tags: ["mine"] }));
    expect((await client.listSandboxes({ tags: ["mine"] })).sandboxes).toHaveLength(1);
    expect((await client.listSandboxes({ tags: ["other"] })).sandboxes).toEqual([]);
    expect(await run(client, sandboxId, "echo", "hello")).toMatchObject({ stdout: "hello\n" });
    const { sandbox } = await client.deleteSandbox({ sandboxId });
    expect(sandbox?.sandboxId).toBe(sandboxId);
    await untilEnded(client, sandboxId);
  });

  test("shares no message with its caller", async () => {
    const { client, onlooker } = await started(way);
    const spec = create(SandboxSpecSchema, specOf({}, { tags: ["mine"] }));
    const { sandboxId } = await client.createSandbox({ sandbox: { spec } });
    spec.tags.push("later");
    const told = await client.getSandbox({ sandboxId });
    told.spec?.tags.push("later");
    expect((await onlooker.getSandbox({ sandboxId })).spec?.tags).toEqual(["mine"]);
  });

  test("refuses with the same code, words and details", async () => {
    const { client, onlooker } = await started(way);
    const calls: readonly ((client: ServiceClient) => Promise<unknown>)[] = [
      (of) => of.getSandbox({ sandboxId: "sb-none" }),
      (of) => of.createSandbox({ sandbox: { spec: specOf({}, { tags: ["not good"] }) } }),
      (of) => of.createSandbox({}),
      (of) => of.listSandboxes({ pageToken: "none of ours" }),
      (of) => of.readFile({ sandboxId: "sb-none", path: "file" }),
      (of) => of.streamLogs({ sandboxId: "sb-none" })[Symbol.asyncIterator]().next(),
    ];
    for (const call of calls) {
      const { error, code, message } = await refusalOf(call(client));
      const expected = await refusalOf(call(onlooker));
      expect({ code, message }).toEqual({ code: expected.code, message: expected.message });
      expect(details(error)).toEqual(details(expected.error));
      expect(error.isWireError).toBe(true);
    }
  });

  test("refuses messages that are too large", async () => {
    const { client } = await started(way);
    const content = new Uint8Array(101 * 1024 * 1024);
    const call = client.writeFile({ sandboxId: "sb-none", path: "file", content });
    const { code, error } = await refusalOf(call);
    expect(code).toBe(Code.ResourceExhausted);
    expect(error.isWireError).toBe(false);
  });

  /** Whoever creates after a call that was given up has one more only if that went on. */
  const nothingWasDone = async (onlooker: ServiceClient): Promise<void> => {
    await make(onlooker);
    expect((await onlooker.listSandboxes({ showTerminated: true })).sandboxes).toHaveLength(1);
  };
  const slow = { faults: { latency: { create: "300ms" } } };

  test("gives up at the deadline of a call, and does nothing of it", async () => {
    const { client, onlooker } = await started(way, slow);
    const late = client.createSandbox({ sandbox: { spec: specOf() } }, { timeoutMs: 50 });
    const { code, error } = await refusalOf(late);
    expect(code).toBe(Code.DeadlineExceeded);
    expect(error.isWireError).toBe(false);
    await nothingWasDone(onlooker);
  });

  test("gives up a call that its caller gives up, with the caller's reason", async () => {
    const { client, onlooker } = await started(way, slow);
    const caller = new AbortController();
    const call = client.createSandbox({ sandbox: { spec: specOf() } }, { signal: caller.signal });
    const refused = refusalOf(call);
    // It is under way then.
    await client.listSandboxes({});
    caller.abort(new Error("not needed"));
    expect(await refused).toMatchObject({ code: Code.Canceled, message: "not needed" });
    const early = client.createSandbox({ sandbox: { spec: specOf() } }, { signal: caller.signal });
    expect(await refusalOf(early)).toMatchObject({ code: Code.Canceled, message: "not needed" });
    await nothingWasDone(onlooker);
  });

  test("streams a command both ways", async () => {
    const { client } = await started(way);
    const sandboxId = await createRunning(client);
    const requests = new Requests();
    requests.send({ case: "init", value: { sandboxId, command: ["cat"] } });
    let text = "";
    const seen: (string | undefined)[] = [];
    for await (const { message } of client.streamExec(requests)) {
      seen.push(message.case);
      if (message.case === "ready") {
        requests.send({ case: "stdin", value: new TextEncoder().encode("typed") });
        requests.end();
      }
      if (message.case === "output") text += new TextDecoder().decode(message.value.data);
      if (message.case === "exit") expect(message.value.exitCode).toBe(0);
    }
    expect(text).toBe("typed");
    expect(seen.at(0)).toBe("ready");
    expect(seen.at(-1)).toBe("exit");
  });

  test("kills the command of a stream whose caller leaves, reading or not", async () => {
    const { client, onlooker } = await started(way);
    const sandboxId = await createRunning(client);
    for (const reading of [true, false]) {
      const caller = new AbortController();
      const requests = new Requests();
      const script = "echo $$ > pid; echo on; sleep 60; echo off";
      requests.send({ case: "init", value: { sandboxId, command: ["sh", "-c", script] } });
      const { signal } = caller;
      const messages = client.streamExec(requests, { signal })[Symbol.asyncIterator]();
      // ready, then what it says.
      await messages.next();
      if (reading) await messages.next();
      const cut = reading ? refusalOf(messages.next()) : undefined;
      await eventually(async () => (await run(onlooker, sandboxId, "cat", "pid")).exitCode === 0);
      const { stdout } = await run(onlooker, sandboxId, "cat", "pid");
      caller.abort();
      await eventually(async () => {
        const found = await run(onlooker, sandboxId, "kill", "-0", stdout.trim());
        return found.exitCode !== 0;
      });
      if (cut !== undefined) expect((await cut).code).toBe(Code.Canceled);
      await run(onlooker, sandboxId, "rm", "pid");
    }
  });

  test("meets the refusals of a rehearsal, and their count", async () => {
    const { client, onlooker } = await started(way, {
      maxSandboxes: 2,
      faults: { fail: { get: "1x", list: "1x:internal" }, createRate: "3/min", seed: 1 },
    });
    expect(await refusalOf(client.getSandbox({ sandboxId: "x" }))).toMatchObject({
      code: Code.Unavailable,
      reason: ErrorReason.BACKEND_UNAVAILABLE,
    });
    expect((await refusalOf(onlooker.getSandbox({ sandboxId: "x" }))).code).toBe(Code.NotFound);
    expect((await refusalOf(client.listSandboxes({}))).code).toBe(Code.Internal);
    await make(onlooker);
    await make(client);
    // The quota, and then the rate: they are the service's, whichever way one comes.
    expect((await refusalOf(make(client))).reason).toBe(ErrorReason.RUNNER_CAPACITY_EXHAUSTED);
    expect((await refusalOf(make(client))).reason).toBe(ErrorReason.RUNNER_OVERLOADED);
  });

  test("loses an answer on purpose, and with it the calls beside it", async () => {
    const { client, service, onlooker } = await started(way, {
      faults: { dropAnswer: { create: "1x" }, latency: { list: "1m" } },
    });
    const beside = refusalOf(client.listSandboxes({}));
    const request = { sandbox: { spec: specOf() }, requestId: "lost" };
    await client.getSandbox({ sandboxId: "sb-none" }).catch(() => {});
    const lost = await refusalOf(client.createSandbox(request));
    for (const { code, error, message } of [lost, await beside]) {
      expect(code).toBe(Code.Canceled);
      expect(error.isWireError).toBe(false);
      expect(message).not.toContain("on purpose");
    }
    service.injectFaults({});
    const { sandboxes } = await onlooker.listSandboxes({});
    expect(sandboxes).toHaveLength(1);
    expect((await client.createSandbox(request)).sandboxId).toBe(sandboxes[0]?.sandboxId);
  });

  test("loses the last message of a stream on purpose", async () => {
    const { client } = await started(way, { faults: { dropAnswer: { StreamExec: "1x" } } });
    const sandboxId = await createRunning(client);
    const requests = new Requests();
    requests.send({ case: "init", value: { sandboxId, command: ["true"] } });
    requests.end();
    const seen: (string | undefined)[] = [];
    const stream = async (): Promise<void> => {
      for await (const { message } of client.streamExec(requests)) seen.push(message.case);
    };
    expect((await refusalOf(stream())).error.isWireError).toBe(false);
    expect(seen).not.toContain("exit");
  });

  test("ends the calls under way when it closes, and cannot be reached after that", async () => {
    const { client, service } = await started(way, { faults: { latency: { get: "1m" } } });
    const underWay = refusalOf(client.getSandbox({ sandboxId: "sb-none" }));
    await client.listSandboxes({});
    await service.close();
    expect((await underWay).code).toBe(Code.NotFound);
    // A socket may take a moment to notice.
    await eventually(async () => {
      const { code, error } = await refusalOf(client.listSandboxes({}));
      return code === Code.Unavailable && !error.isWireError && isRefused(error.cause);
    });
  });
});

test("what is called in memory opens no socket, and the port keeps its token", async () => {
  const opened: unknown[] = [];
  const onSocket = (message: unknown) => void opened.push(message);
  subscribe("net.client.socket", onSocket);
  const service = await startLocalService({ engine: "process" });
  services.push(service);
  const before = opened.length;
  const client = createClient(SandboxService, service.connectInMemory().transport);
  await createRunning(client);
  expect(opened).toHaveLength(before);
  unsubscribe("net.client.socket", onSocket);
  const stranger = createClient(SandboxService, transportOf({ ...service, token: "guessed" }));
  expect((await refusalOf(stranger.listSandboxes({}))).code).toBe(Code.Unauthenticated);
});

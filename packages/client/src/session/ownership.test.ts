/** What a session owns, and that it loses none of it. */
import { Code } from "@connectrpc/connect";
import { SandboxMode, State, StorageMedium } from "@tidybox/protocol";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { Connection } from "../connection/connection.ts";
import { CleanupError } from "../errors/cleanup-error.ts";
import { attachSandbox } from "../sandbox/attach.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import { refusal, sandboxRecord, startFaultService } from "../testing/fault-service.ts";
import { never, startFaultyFront } from "../testing/faulty-front.ts";
import { type TestService, startTestService } from "../testing/local-service.ts";
import { Session } from "./session.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(async () => service?.[Symbol.asyncDispose]());
afterEach(() => vi.restoreAllMocks());

const quick = { gracefulShutdownSeconds: 0 };

test("every kind of default reaches the service, and a call's own options win", async () => {
  const { connection } = service;
  await using session = new Session({
    connection,
    defaults: {
      containerImage: "python:3.11",
      command: ["sleep", "600"],
      tags: ["kinds"],
      environment: { A: "default", B: "default" },
      annotations: { from: "session" },
      resources: { cpu: "250m", memory: "128Mi" },
      maxLifetimeSeconds: 600,
      network: { denyEgress: true },
      volumes: [{ name: "data", mountPath: "/data", scratch: { size: "16Mi", medium: "memory" } }],
    },
  });
  const [plain, own] = await Promise.all([
    session.sandbox(),
    session.sandbox({
      tags: ["own", "kinds"],
      environment: { B: "own" },
      maxLifetimeSeconds: 300,
      network: { denyEgress: false },
      volumes: [],
      resources: { cpu: "500m", memory: "64Mi" },
      command: undefined,
    }),
  ]);
  expect(plain.record?.spec).toMatchObject({
    tags: ["kinds"],
    maxLifetimeSeconds: 600,
    mode: SandboxMode.UNSPECIFIED,
    network: { denyEgress: true },
    volumes: [{ name: "data", source: { value: { medium: StorageMedium.MEMORY, size: "16Mi" } } }],
  });
  expect(own.record?.spec).toMatchObject({
    tags: ["kinds", "own"],
    maxLifetimeSeconds: 300,
    network: { denyEgress: false },
    volumes: [],
  });
  const [main] = own.record?.spec?.containers ?? [];
  // An option that is set to undefined changes nothing.
  expect(main).toMatchObject({ image: "python:3.11", command: "sleep", args: ["600"] });
  expect(main?.resourceRequirements?.limits).toMatchObject({ cpu: "500m", memory: "64Mi" });
  const { stdout } = await own.exec(["sh", "-c", "echo $A $B; [ -d /data ] || echo no volume"]);
  expect(stdout).toBe("default own\nno volume\n");
  expect((await plain.exec(["sh", "-c", "echo x > /data/x && cat /data/x"])).stdout).toBe("x\n");
  expect((await plain.status()).maxLifetimeSeconds).toBe(600);
});

test("one sandbox by several objects is one, and is stopped once", async () => {
  await using front = await startFaultyFront(service.connection, () => ({}));
  const session = new Session({ connection: front.connection, defaults: { tags: ["one"] } });
  const sandbox = await session.sandbox();
  expect(await session.fromId(sandbox.id)).toBe(sandbox);
  expect(await session.list({ adopt: true }).toArray()).toEqual([sandbox]);
  expect((await session.list().toArray())[0]).toBe(sandbox);
  session.adopt(await Sandbox.fromId(sandbox.id, { connection: front.connection }));
  expect(await session.fromId(sandbox.id)).toBe(sandbox);
  await session.close(quick);
  expect(front.calls("deleteSandbox")).toBe(1);
});

test("lists by its own tags and those of the call, ended ones only when asked, and never adopts those", async () => {
  const { connection } = service;
  const session = new Session({ connection, defaults: { tags: ["listing"] } });
  const [running, ended] = await Promise.all([
    Sandbox.run({ connection, tags: ["listing", "more"] }),
    Sandbox.run({ connection, tags: ["listing", "more"] }),
    Sandbox.run({ connection, tags: ["more"] }).then((other) => other.stop(quick)),
  ]);
  await ended.stop(quick);
  const ids = async (options: Parameters<Session["list"]>[0]) =>
    (await session.list(options).toArray()).map(({ id }) => id);
  expect(await ids({ tags: ["more"] })).toEqual([running.id]);
  expect(await ids({ tags: ["other"] })).toEqual([]);
  const all = await ids({ showTerminated: true, adopt: true });
  expect(all.toSorted()).toEqual([running.id, ended.id].toSorted());
  expect(await ids({ status: "terminated" })).not.toContain(running.id);
  await session.close(quick);
  expect(await Sandbox.list({ connection, tags: ["listing"] }).toArray()).toEqual([]);
});

test("is bounded also where somebody else has begun a long stop", async () => {
  await using faulty = await startFaultService({
    deleteSandbox: () => ({ sandbox: sandboxRecord(State.TERMINATING) }),
    getSandbox: () => sandboxRecord(State.TERMINATING),
  });
  const session = new Session({ connection: faulty.connection });
  const sandbox = attachSandbox(faulty.connection, "sb-1");
  session.adopt(sandbox);
  const giveUp = new AbortController();
  const long = sandbox
    .stop({ gracefulShutdownSeconds: 3600, signal: giveUp.signal })
    .catch((error: unknown) => error);
  await expect(session.close({ timeoutSeconds: 0.2 })).rejects.toMatchObject({
    failures: [{ sandboxId: "sb-1" }],
  });
  giveUp.abort(new Error("enough"));
  await long;
});

test("a signal ends the wait of a close, and what is left is told", async () => {
  await using faulty = await startFaultService({
    deleteSandbox: (_request, { signal }) => never(signal).then(() => ({})),
  });
  const session = new Session({ connection: faulty.connection });
  session.adopt(attachSandbox(faulty.connection, "sb-1"));
  const giveUp = new AbortController();
  const close = session.close({ signal: giveUp.signal });
  giveUp.abort(new Error("no time left"));
  await expect(close).rejects.toThrow(CleanupError);
  await expect(close).rejects.toThrow(/sb-1: no time left/);
});

test("waits for a create under way longer than its caller does, also on a connection of its own", async () => {
  const answer = new AbortController();
  const deleted: string[] = [];
  await using front = await startFaultyFront(service.connection, () => ({
    after: (rpc) => (rpc === "createSandbox" ? never(answer.signal) : undefined),
    before: (rpc) => void (rpc === "deleteSandbox" && deleted.push(rpc)),
  }));
  const { baseUrl } = front;
  const session = new Session({
    connection: { baseUrl, apiKey: "for-the-front" },
    defaults: { tags: ["late-answer"] },
  });
  const create = session.sandbox().catch((error: unknown) => error);
  const there = () =>
    Sandbox.list({ connection: service.connection, tags: ["late-answer"] }).toArray();
  await vi.waitFor(async () => expect(await there()).toHaveLength(1), 10_000);
  const close = session.close(quick);
  // The caller is not kept waiting; the session goes on.
  expect(await create).toMatchObject({ code: "session_closed" });
  expect(deleted).toEqual([]);
  answer.abort();
  await close;
  expect(deleted).toHaveLength(1);
  await vi.waitFor(async () => expect(await there()).toEqual([]), 10_000);
}, 60_000);

test("a create that does not come to its end is in the close's error", async () => {
  await using faulty = await startFaultService({
    createSandbox: (_request, { signal }) => never(signal).then(() => sandboxRecord(State.RUNNING)),
  });
  const session = new Session({
    connection: faulty.connection,
    defaults: { tags: ["tidybox-run-r7"] },
  });
  const create = session.sandbox().catch((error: unknown) => error);
  await expect(session.close({ timeoutSeconds: 0.2 })).rejects.toMatchObject({
    failures: [{ sandboxId: "", tags: ["tidybox-run-r7"] }],
    message: expect.stringMatching(/create under way.*tidybox reap --run r7/s) as unknown,
  });
  faulty.connection.close();
  await create;
}, 20_000);

test("what a failed start could not undo, the close stops or tells", async () => {
  const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  let deletes = 0;
  await using faulty = await startFaultService({
    createSandbox: () => sandboxRecord(State.CREATING),
    getSandbox: () => sandboxRecord(State.CREATING),
    deleteSandbox: () => {
      deletes += 1;
      if (deletes === 1) throw refusal(Code.PermissionDenied);
      return { sandbox: sandboxRecord(State.TERMINATED) };
    },
  });
  const session = new Session({ connection: faulty.connection });
  await expect(session.sandbox({ startTimeoutSeconds: 0.1 })).rejects.toMatchObject({
    code: "timeout",
  });
  await session.close();
  expect(deletes).toBe(2);
  expect(warn).not.toHaveBeenCalled();
});

test("a close on a service that is not there ends in time, and names every sandbox", async () => {
  const faulty = await startFaultService({});
  using connection = new Connection({ baseUrl: faulty.baseUrl, apiKey: "k" });
  await faulty[Symbol.asyncDispose]();
  const session = new Session({ connection });
  for (const id of ["sb-1", "sb-2"]) session.adopt(attachSandbox(connection, id));
  await expect(session.close({ timeoutSeconds: 30 })).rejects.toMatchObject({
    failures: [{ sandboxId: "sb-1" }, { sandboxId: "sb-2" }],
    message: expect.stringContaining("sb-2: Could not stop a sandbox (sandbox sb-2) in") as unknown,
  });
});

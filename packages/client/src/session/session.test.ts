import { Code } from "@connectrpc/connect";
import { State } from "@tidybox/protocol";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { CleanupError } from "../errors/cleanup-error.ts";
import { attachSandbox } from "../sandbox/attach.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import { refusal, sandboxRecord, startFaultService } from "../testing/fault-service.ts";
import { type TestService, startTestService } from "../testing/local-service.ts";
import { Session } from "./session.ts";
import { stopAll } from "./stop-all.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(async () => service?.[Symbol.asyncDispose]());
afterEach(() => vi.restoreAllMocks());

const quick = { gracefulShutdownSeconds: 0 };

test("gives its defaults to all its sandboxes, and stops them all", async () => {
  const { connection } = service;
  const session = new Session({
    connection,
    defaults: { tags: ["defaults"], environment: { A: "1", B: "1" } },
  });
  const [first, second] = await Promise.all([
    session.sandbox(),
    session.sandbox({ tags: ["own"], environment: { B: "2" } }),
  ]);
  expect(second.tags).toEqual(["defaults", "own"]);
  expect((await second.exec(["sh", "-c", "echo $A$B"])).stdout).toBe("12\n");
  expect((await session.list().toArray()).map(({ id }) => id).toSorted()).toEqual(
    [first.id, second.id].toSorted(),
  );
  expect((await session.list({ tags: ["own"] }).toArray()).map(({ id }) => id)).toEqual([
    second.id,
  ]);
  await session.close(quick);
  expect(session.closed).toBe(true);
  expect(await session.list().toArray()).toEqual([]);
});

test("closing twice is one close, and a closed session takes nothing", async () => {
  const { connection } = service;
  const session = new Session({ connection });
  await using outside = await Sandbox.run({ connection });
  expect(session.close(quick)).toBe(session.close());
  await session.close();
  await expect(session.sandbox()).rejects.toMatchObject({ code: "session_closed" });
  await expect(session.fromId(outside.id)).rejects.toMatchObject({ code: "session_closed" });
  expect(() => session.adopt(outside)).toThrow(/closed/);
  expect(() => session.list({ adopt: true })).toThrow(/closed/);
  expect(await outside.status()).toMatchObject({ state: "running" });
});

test("adopts by object, by id and by listing, and lets go of what was stopped", async () => {
  const { connection } = service;
  const tags = ["adopted"];
  const [a, b, c, d] = await Promise.all([1, 2, 3, 4].map(() => Sandbox.run({ connection, tags })));
  if (a === undefined || b === undefined || c === undefined || d === undefined)
    return expect.unreachable();
  {
    await using session = new Session({ connection, defaults: { tags } });
    session.adopt(a);
    session.adopt(a);
    await a.stop(quick);
    await session.fromId(b.id);
    await session.fromId(c.id, { adopt: false });
    await session.close(quick);
  }
  expect(
    (await Sandbox.list({ connection, tags }).toArray()).map(({ id }) => id).toSorted(),
  ).toEqual([c.id, d.id].toSorted());
  const second = new Session({ connection, defaults: { tags } });
  await second.list({ adopt: true }).toArray();
  await second.close(quick);
  expect(await Sandbox.list({ connection, tags }).toArray()).toEqual([]);
});

test("undoes creates that are under way when it closes", async () => {
  const { connection } = service;
  const session = new Session({ connection, defaults: { tags: ["under-way"] } });
  const creates = Promise.allSettled([session.sandbox(), session.sandbox(), session.sandbox()]);
  await session.close(quick);
  for (const outcome of await creates) {
    expect(outcome).toMatchObject({ status: "rejected", reason: { code: "session_closed" } });
  }
  await vi.waitFor(async () => expect(await session.list().toArray()).toEqual([]), {
    timeout: 10_000,
  });
});

test("a create that answers after the close is stopped all the same", async () => {
  const answer = new AbortController();
  const arrived = new AbortController();
  const deleted: string[] = [];
  await using faulty = await startFaultService({
    createSandbox: async () => {
      arrived.abort();
      await new Promise((resolve) =>
        answer.signal.addEventListener("abort", resolve, { once: true }),
      );
      return sandboxRecord(State.RUNNING);
    },
    deleteSandbox: ({ sandboxId }) => {
      deleted.push(sandboxId);
      return { sandbox: sandboxRecord(State.TERMINATED) };
    },
  });
  const session = new Session({ connection: faulty.connection });
  const create = session.sandbox().catch((error: unknown) => error);
  await new Promise((resolve) => arrived.signal.addEventListener("abort", resolve, { once: true }));
  const close = session.close();
  answer.abort();
  await close;
  expect(deleted).toEqual(["sb-1"]);
  expect(await create).toMatchObject({ code: "session_closed" });
});

/** Stops all but the sandboxes named. */
const stubborn = (...ids: string[]) =>
  startFaultService({
    deleteSandbox: ({ sandboxId }) => {
      if (ids.includes(sandboxId)) throw refusal(Code.PermissionDenied);
      return { sandbox: sandboxRecord(State.TERMINATED, sandboxId) };
    },
  });

test("collects every failure to stop in one error, with the command that helps", async () => {
  await using faulty = await stubborn("sb-1", "sb-3");
  const session = new Session({ connection: faulty.connection });
  for (const id of ["sb-1", "sb-2", "sb-3"])
    session.adopt(attachSandbox(faulty.connection, sandboxRecord(State.RUNNING, id)));
  const failure = await session.close().catch((error: unknown) => error);
  if (!(failure instanceof CleanupError)) return expect.unreachable();
  expect(failure.failures.map(({ sandboxId, error }) => [sandboxId, error.name])).toEqual([
    ["sb-1", "AuthenticationError"],
    ["sb-3", "AuthenticationError"],
  ]);
  expect(failure.message).toMatch(
    /^2 sandboxes could not be stopped:\n {2}sb-1: Could not stop.*tidybox reap --run r1/s,
  );
});

test("leaving its block keeps the block's own error, and warns", async () => {
  const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  await using faulty = await stubborn("sb-1");
  const body = new Error("the body's own");
  const block = async () => {
    await using session = new Session({ connection: faulty.connection });
    session.adopt(attachSandbox(faulty.connection, "sb-1"));
    throw body;
  };
  await expect(block()).rejects.toBe(body);
  expect(warn).toHaveBeenCalledOnce();
  expect(String(warn.mock.calls[0]?.[0])).toContain("sb-1");
});

test("closes a connection of its own, and only that", async () => {
  await using faulty = await stubborn();
  const own = new Session({ connection: { baseUrl: faulty.baseUrl, apiKey: "k" } });
  own.adopt(attachSandbox(own.connection, "sb-1"));
  await own.close();
  await expect(own.list().toArray()).rejects.toMatchObject({ code: "connection_closed" });
  await new Session({ connection: faulty.connection }).close();
  await expect(Sandbox.delete("sb-1", { connection: faulty.connection })).resolves.toBe(true);
});

test("stopAll tells all results in order, or all failures", async () => {
  await using faulty = await stubborn("sb-2", "sb-3");
  const attach = (id: string) => attachSandbox(faulty.connection, id);
  const results = await stopAll([attach("sb-4"), attach("sb-1")]);
  expect(results.map(({ sandboxId, state }) => [sandboxId, state])).toEqual([
    ["sb-4", "terminated"],
    ["sb-1", "terminated"],
  ]);
  const failure = stopAll(["sb-1", "sb-2", "sb-3"].map(attach));
  await expect(failure).rejects.toThrow(CleanupError);
  await expect(failure).rejects.toMatchObject({
    failures: [{ sandboxId: "sb-2" }, { sandboxId: "sb-3" }],
  });
});

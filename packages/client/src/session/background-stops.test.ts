/** Sandboxes that are released: stopped behind the caller's back, and none of them lost. */
import { Code } from "@connectrpc/connect";
import { State } from "@tidybox/protocol";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { CleanupError } from "../errors/cleanup-error.ts";
import { ConfigurationError } from "../errors/request-errors.ts";
import { SandboxClosedError } from "../errors/sandbox-errors.ts";
import { attachSandbox } from "../sandbox/attach.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import { refusal, sandboxRecord, startFaultService } from "../testing/fault-service.ts";
import { never, startFaultyFront } from "../testing/faulty-front.ts";
import { makeGate } from "../testing/gate.ts";
import { type TestService, startTestService } from "../testing/local-service.ts";
import { Session } from "./session.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(async () => service?.[Symbol.asyncDispose]());
afterEach(() => vi.restoreAllMocks());

const quick = { gracefulShutdownSeconds: 0 };

/** A front whose deletes all wait until the gate is opened. */
async function gatedFront() {
  const { opened, open } = makeGate();
  const front = await startFaultyFront(service.connection, () => ({
    before: (rpc) => (rpc === "deleteSandbox" ? opened : undefined),
  }));
  return Object.assign(front, { open });
}

async function there(tag: string): Promise<number> {
  return (await Sandbox.list({ connection: service.connection, tags: [tag] }).toArray()).length;
}

test("a release returns at once, and the close waits for the stop", async () => {
  await using front = await gatedFront();
  const session = new Session({ connection: front.connection, defaults: { tags: ["released"] } });
  const sandbox = await session.sandbox();
  const command = sandbox.exec(["sleep", "60"]).catch((error: unknown) => error);
  expect(session.release(sandbox, quick)).toBeUndefined();
  // Done with, from this moment on.
  expect(await command).toBeInstanceOf(SandboxClosedError);
  await expect(sandbox.exec(["true"])).rejects.toThrow(
    `Sandbox ${sandbox.id} is closed: it was released.`,
  );
  let closed = false;
  const close = session.close(quick).then(() => (closed = true));
  await vi.waitFor(() => expect(front.calls("deleteSandbox")).toBe(1), 10_000);
  expect([closed, await there("released")]).toEqual([false, 1]);
  front.open();
  await close;
  expect(await there("released")).toBe(0);
  expect(front.calls("deleteSandbox")).toBe(1);
});

test("no more than maxStopping are under way, and a close begins all", async () => {
  await using front = await gatedFront();
  const { connection } = front;
  const session = new Session({ connection, maxStopping: 2, defaults: { tags: ["queued"] } });
  const sandboxes = await session.sandboxes(6);
  for (const sandbox of sandboxes.slice(0, 5)) session.release(sandbox, quick);
  await vi.waitFor(() => expect(front.calls("deleteSandbox")).toBe(2), 10_000);
  await session.list().toArray();
  expect(front.calls("deleteSandbox")).toBe(2);
  const close = session.close(quick);
  await vi.waitFor(() => expect(front.calls("deleteSandbox")).toBe(6), 10_000);
  front.open();
  await close;
  expect(await there("queued")).toBe(0);
  expect(front.calls("deleteSandbox")).toBe(6);
});

test("those that wait are stopped in their turn, without a close", async () => {
  const { connection } = service;
  const session = new Session({ connection, maxStopping: 1, defaults: { tags: ["in-turn"] } });
  for (const sandbox of await session.sandboxes(4)) session.release(sandbox, quick);
  await vi.waitFor(async () => expect(await there("in-turn")).toBe(0), { timeout: 20_000 });
  await session.close();
});

test("each has the grace of its release, whatever the close's", async () => {
  const graces = new Map<string, number>();
  const { opened, open } = makeGate();
  await using faulty = await startFaultService({
    deleteSandbox: async ({ sandboxId, gracePeriodSeconds }) => {
      graces.set(sandboxId, gracePeriodSeconds);
      await opened;
      return { sandbox: sandboxRecord(State.TERMINATED, sandboxId) };
    },
  });
  const session = new Session({ connection: faulty.connection, maxStopping: 1 });
  for (const id of ["sb-1", "sb-2", "sb-3"])
    session.release(attachSandbox(faulty.connection, id), { gracefulShutdownSeconds: 3 });
  session.adopt(attachSandbox(faulty.connection, "sb-4"));
  const close = session.close(quick);
  await vi.waitFor(() => expect(graces.size).toBe(4));
  open();
  await close;
  expect(Object.fromEntries(graces)).toEqual({ "sb-1": 3, "sb-2": 3, "sb-3": 3, "sb-4": 0 });
});

test("what failed the close tries again, and tells only what is left", async () => {
  const deletes: string[] = [];
  await using faulty = await startFaultService({
    deleteSandbox: ({ sandboxId }) => {
      deletes.push(sandboxId);
      const again = deletes.filter((id) => id === sandboxId).length > 1;
      if (sandboxId === "sb-2" || !again) throw refusal(Code.PermissionDenied);
      return { sandbox: sandboxRecord(State.TERMINATED, sandboxId) };
    },
  });
  const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  const session = new Session({ connection: faulty.connection });
  for (const id of ["sb-1", "sb-2"])
    session.release(attachSandbox(faulty.connection, sandboxRecord(State.RUNNING, id)));
  await vi.waitFor(() => expect(deletes).toHaveLength(2));
  // Both refusals have come here, and gone.
  await new Promise((resolve) => setTimeout(resolve, 100));
  const failure = await session.close().catch((error: unknown) => error);
  if (!(failure instanceof CleanupError)) return expect.unreachable();
  expect(failure.failures.map(({ sandboxId }) => sandboxId)).toEqual(["sb-2"]);
  expect(deletes.toSorted()).toEqual(["sb-1", "sb-1", "sb-2", "sb-2"]);
  expect(warn).not.toHaveBeenCalled();
});

test("the close is bounded, names what has not ended, and leaves nothing going on", async () => {
  let looks = 0;
  await using faulty = await startFaultService({
    deleteSandbox: () => ({ sandbox: sandboxRecord(State.TERMINATING) }),
    getSandbox: () => {
      looks += 1;
      return sandboxRecord(State.TERMINATING);
    },
  });
  const session = new Session({ connection: faulty.connection });
  session.release(attachSandbox(faulty.connection, "sb-1"), { timeoutSeconds: 3600 });
  await vi.waitFor(() => expect(looks).toBeGreaterThan(1));
  await expect(session.close({ timeoutSeconds: 0.2 })).rejects.toMatchObject({
    failures: [{ sandboxId: "sb-1" }],
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  const then = looks;
  // Longer than the longest pause between two looks so early.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(looks).toBe(then);
});

test("its own limit in time ends a stop, whose turn the next one has then", async () => {
  const deleted: string[] = [];
  await using faulty = await startFaultService({
    deleteSandbox: async ({ sandboxId }, { signal }) => {
      deleted.push(sandboxId);
      if (sandboxId === "sb-1") await never(signal);
      return { sandbox: sandboxRecord(State.TERMINATED, sandboxId) };
    },
  });
  const session = new Session({ connection: faulty.connection, maxStopping: 1 });
  session.release(attachSandbox(faulty.connection, "sb-1"), { timeoutSeconds: 0.2 });
  session.release(attachSandbox(faulty.connection, "sb-2"));
  await vi.waitFor(() => expect(deleted).toEqual(["sb-1", "sb-2"]), 10_000);
  await expect(session.close({ timeoutSeconds: 0.2 })).rejects.toMatchObject({
    failures: [{ sandboxId: "sb-1" }],
  });
});

test("twice is once, a stop waits for it, and one that is stopped already is left alone", async () => {
  await using front = await startFaultyFront(service.connection, () => ({}));
  const { connection } = front;
  const session = new Session({ connection });
  const [first, second] = await session.sandboxes([{}, {}]);
  session.release(first, quick);
  session.release(first, quick);
  expect(await first.stop()).toMatchObject({ state: "terminated", missing: false });
  await second.stop(quick);
  session.release(second);
  await session.close(quick);
  // Also when it is late: a `finally` must not throw for that.
  session.release(first);
  session.release(second);
  expect(front.calls("deleteSandbox")).toBe(2);
});

test("one of somebody else's is taken over; a closed session takes none", async () => {
  const { connection } = service;
  const session = new Session({ connection });
  const [one, other] = await Promise.all([
    Sandbox.run({ connection }),
    Sandbox.run({ connection }),
  ]);
  const again = await session.fromId(one.id);
  session.release(one, quick);
  // Another object of the same sandbox is the same sandbox.
  await expect(again.exec(["true"])).rejects.toThrow("it was released");
  await session.close(quick);
  expect((await Sandbox.fromId(one.id, { connection })).state).toBe("terminated");
  expect(() => session.release(other)).toThrow(/session is closed/);
  await other.stop(quick);
});

test("a wrong option is thrown, and nothing is released", async () => {
  const session = new Session({ connection: service.connection });
  const sandbox = await session.sandbox();
  expect(() => session.release(sandbox, { timeoutSeconds: -1 })).toThrow(ConfigurationError);
  expect(() => session.release(sandbox, { gracefulShutdownSeconds: Number.NaN })).toThrow(
    ConfigurationError,
  );
  expect((await sandbox.exec(["true"])).exitCode).toBe(0);
  await session.close(quick);
});

test("releaseOnDispose: leaving a block does not wait, the close does", async () => {
  await using front = await gatedFront();
  const { connection } = front;
  const tags = ["on-dispose"];
  const session = new Session({ connection, defaults: { tags }, releaseOnDispose: true });
  for (let round = 0; round < 3; round += 1) {
    await using sandbox = await session.sandbox();
    expect((await sandbox.exec(["true"])).exitCode).toBe(0);
  }
  // Three blocks are left, and no stop has been answered.
  expect(await there("on-dispose")).toBe(3);
  const lastOne = async (): Promise<Sandbox> => {
    await using sandbox = await session.sandbox();
    const closing = session.close(quick);
    front.open();
    await closing;
    return sandbox;
  };
  const last = await lastOne();
  expect((await Sandbox.fromId(last.id, service)).state).toBe("terminated");
  expect(await there("on-dispose")).toBe(0);
  expect(front.calls("deleteSandbox")).toBe(4);
});

/** Several sandboxes asked for at once: how many are under way, and all or none of them. */
import { Code } from "@connectrpc/connect";
import { ErrorReason } from "@tidybox/protocol";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ConfigurationError, TimeoutError } from "../errors/request-errors.ts";
import { SandboxFailedError } from "../errors/sandbox-errors.ts";
import { startCountsOf } from "../errors/start-counts.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import { refusal } from "../testing/fault-service.ts";
import { type FaultyFront, startFaultyFront } from "../testing/faulty-front.ts";
import { makeGate } from "../testing/gate.ts";
import { type TestService, startTestService } from "../testing/local-service.ts";
import { Session } from "./session.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(async () => service?.[Symbol.asyncDispose]());

const quick = { gracefulShutdownSeconds: 0 };

/** What the service itself says is there. */
async function there(tag: string): Promise<number> {
  return (await Sandbox.list({ connection: service.connection, tags: [tag] }).toArray()).length;
}

async function nothingLeft(tag: string): Promise<void> {
  await vi.waitFor(async () => expect(await there(tag)).toBe(0), { timeout: 20_000 });
}

/** A front whose creates all wait until the gate is opened. */
async function gatedFront(): Promise<FaultyFront & { open(): void }> {
  const { opened, open } = makeGate();
  const front = await startFaultyFront(service.connection, () => ({
    before: (rpc) => (rpc === "createSandbox" ? opened : undefined),
  }));
  return Object.assign(front, { open });
}

test("a number of the same start in parallel, with the session's defaults", async () => {
  await using front = await gatedFront();
  const session = new Session({ connection: front.connection, defaults: { tags: ["together"] } });
  const all = session.sandboxes(4, { environment: { A: "1" }, tags: ["own"] });
  // None is answered before all of them have been asked for.
  await vi.waitFor(() => expect(front.calls("createSandbox")).toBe(4), 10_000);
  front.open();
  const sandboxes = await all;
  expect(new Set(sandboxes.map(({ id }) => id)).size).toBe(4);
  expect(sandboxes.map(({ tags }) => tags.join(" "))).toEqual(
    Array<string>(4).fill("together own"),
  );
  const results = await Promise.all(
    sandboxes.map((each) => each.exec(["sh", "-c", "echo $A"], { check: true })),
  );
  expect(results.map(({ stdout }) => stdout)).toEqual(Array<string>(4).fill("1\n"));
  await session.close(quick);
  expect(await there("together")).toBe(0);
});

test("one for each of several options, in their order", async () => {
  const session = new Session({ connection: service.connection, defaults: { tags: ["each"] } });
  const [server, client] = await session.sandboxes([{ tags: ["server"] }, { tags: ["client"] }]);
  expect([server.tags, client.tags]).toEqual([
    ["each", "server"],
    ["each", "client"],
  ]);
  expect(await session.sandboxes(0)).toEqual([]);
  expect(await session.sandboxes([])).toEqual([]);
  await session.close(quick);
});

test("no more than maxStarting are under way, however they are asked for", async () => {
  await using front = await gatedFront();
  const { connection } = front;
  const session = new Session({ connection, maxStarting: 2, defaults: { tags: ["bound"] } });
  const single = session.sandbox();
  const three = session.sandboxes(3);
  await vi.waitFor(() => expect(front.calls("createSandbox")).toBe(2), 10_000);
  // Whatever else was sent with those has arrived before this one.
  await session.list().toArray();
  expect(front.calls("createSandbox")).toBe(2);
  front.open();
  await Promise.all([single, three]);
  expect(front.calls("createSandbox")).toBe(4);
  await session.close(quick);
});

test("a wrong option of any of them: nothing is made", async () => {
  await using front = await startFaultyFront(service.connection, () => ({}));
  await using session = new Session({ connection: front.connection });
  const wrong = [
    session.sandboxes([{}, {}, { tags: ["not a tag!"] }]),
    session.sandboxes(3, { startTimeoutSeconds: -1 }),
    session.sandboxes(2.5),
    session.sandboxes(-1),
    session.sandboxes(Number.NaN),
  ];
  for (const each of wrong) await expect(each).rejects.toThrow(ConfigurationError);
  expect(front.calls("createSandbox")).toBe(0);
  expect(() => new Session({ maxStarting: 0 })).toThrow(/maxStarting/);
  expect(() => new Session({ maxStopping: 1.5 })).toThrow(/maxStopping/);
});

test("one that cannot start: those that run are stopped, and its error is thrown with the count", async () => {
  const tags = ["one-fails"];
  await using session = new Session({ connection: service.connection, defaults: { tags } });
  const error = await session
    .sandboxes([{}, {}, { command: ["/no/such/program"] }, {}])
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(SandboxFailedError);
  expect(startCountsOf(error)).toEqual({ asked: 4, failed: 1 });
  await nothingLeft("one-fails");
  // The session goes on.
  expect((await session.sandbox()).state).toBe("running");
});

test("one that cannot start: those that wait for their turn are never sent", async () => {
  await using front = await startFaultyFront(service.connection, () => ({
    before: (rpc) => {
      if (rpc === "createSandbox") throw refusal(Code.InvalidArgument);
    },
  }));
  await using session = new Session({ connection: front.connection, maxStarting: 1 });
  const error = await session.sandboxes(5).catch((thrown: unknown) => thrown);
  expect(startCountsOf(error)).toEqual({ asked: 5, failed: 1 });
  expect(front.calls("createSandbox")).toBe(1);
});

test("several that fail by themselves are all counted, and the first is thrown", async () => {
  const { opened, open } = makeGate();
  await using front = await startFaultyFront(service.connection, (self) => ({
    before: async (rpc) => {
      if (rpc !== "createSandbox") return;
      if (self.calls(rpc) === 3) open();
      await opened;
      throw refusal(Code.PermissionDenied);
    },
  }));
  await using session = new Session({ connection: front.connection });
  const error = await session.sandboxes(3).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "authentication_error" });
  // The others may have been withdrawn before their own refusal came.
  const { asked, failed = 0 } = startCountsOf(error) ?? {};
  expect(asked).toBe(3);
  expect(failed).toBeGreaterThanOrEqual(1);
  expect(failed).toBeLessThanOrEqual(3);
});

test("given up by its signal: the signal's own reason, as it is, and nothing is left", async () => {
  await using front = await gatedFront();
  const tags = ["given-up"];
  await using session = new Session({ connection: front.connection, defaults: { tags } });
  const giveUp = new AbortController();
  const reason = new Error("the user's own");
  const all = session.sandboxes(3, { signal: giveUp.signal });
  await vi.waitFor(() => expect(front.calls("createSandbox")).toBe(3), 10_000);
  giveUp.abort(reason);
  front.open();
  await expect(all).rejects.toBe(reason);
  expect(Object.keys(reason)).toEqual([]);
  expect(startCountsOf(reason)).toBeUndefined();
  await nothingLeft("given-up");
});

test("a close meanwhile undoes all of them, and begins none of those that wait", async () => {
  await using front = await gatedFront();
  const { connection } = front;
  const tags = ["closed-meanwhile"];
  const session = new Session({ connection, maxStarting: 3, defaults: { tags } });
  const all = session.sandboxes(8).catch((error: unknown) => error);
  await vi.waitFor(() => expect(front.calls("createSandbox")).toBe(3), 10_000);
  const close = session.close(quick);
  front.open();
  expect(await all).toMatchObject({ code: "session_closed" });
  await close;
  expect(await there("closed-meanwhile")).toBe(0);
  expect(front.calls("createSandbox")).toBe(3);
  await expect(session.sandboxes(1)).rejects.toMatchObject({ code: "session_closed" });
});

test("waiting for its turn counts as starting, and its timeout says so", async () => {
  await using front = await gatedFront();
  await using session = new Session({ connection: front.connection, maxStarting: 1 });
  const first = session.sandbox();
  const late = session.sandbox({ startTimeoutSeconds: 0.2 });
  await expect(late).rejects.toThrow(TimeoutError);
  await expect(late).rejects.toThrow(
    /within 0\.2 s: it waited for its turn; 1 others.*maxStarting/s,
  );
  front.open();
  await first;
  expect(front.calls("createSandbox")).toBe(1);
});

test("creates that come too fast for the service slow down, and all of them start", async () => {
  let refused = 0;
  const times: number[] = [];
  await using front = await startFaultyFront(service.connection, () => ({
    before: (rpc) => {
      if (rpc !== "createSandbox") return;
      const now = performance.now();
      if (times.filter((at) => now - at < 500).length >= 3) {
        refused += 1;
        throw refusal(Code.ResourceExhausted, ErrorReason.RUNNER_OVERLOADED, {
          retryNanos: 100e6,
        });
      }
      times.push(now);
    },
  }));
  const session = new Session({ connection: front.connection, defaults: { tags: ["fast"] } });
  const sandboxes = await session.sandboxes(9);
  expect(sandboxes).toHaveLength(9);
  expect(await there("fast")).toBe(9);
  // All nine at once, then one by one; each trying again by itself makes over twenty.
  expect(refused).toBeGreaterThan(0);
  expect(refused).toBeLessThan(16);
  await session.close(quick);
}, 60_000);

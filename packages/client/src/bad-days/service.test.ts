/** A service that goes wrong in front of the real one: what is made, stopped and left, by its listing. */
import { Code } from "@connectrpc/connect";
import { ErrorReason } from "@tidybox/protocol";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { CleanupError } from "../errors/cleanup-error.ts";
import { TimeoutError, UnavailableError } from "../errors/request-errors.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import { withSandbox } from "../sandbox/with-sandbox.ts";
import { Session } from "../session/session.ts";
import { refusal } from "../testing/fault-service.ts";
import { never, startFaultyFront } from "../testing/faulty-front.ts";
import { type TestService, startTestService } from "../testing/local-service.ts";
import { tally } from "../testing/tally.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(async () => service?.[Symbol.asyncDispose]());
afterEach(() => vi.restoreAllMocks());

const quick = { gracefulShutdownSeconds: 0 };

test("the answer of a create is lost", async () => {
  await using front = await startFaultyFront(service.connection, ({ cut }) => ({
    after: (rpc, count) => {
      if (rpc === "createSandbox" && count <= 2) cut();
    },
  }));
  const tags = ["lost-answer"];
  {
    await using sandbox = await Sandbox.run({ connection: front.connection, tags });
    expect((await sandbox.exec(["echo", "one"])).stdout).toBe("one\n");
  }
  expect(front.calls("createSandbox")).toBe(3);
  expect(
    await tally(service.connection, { tag: "lost-answer", day: "answers lost after create" }),
  ).toEqual({ made: 1, stopped: 1, left: 0 });
});

test("the answer of a create is lost, and who asked has given up", async () => {
  const giveUp = new AbortController();
  await using front = await startFaultyFront(service.connection, ({ cut }) => ({
    after: (rpc, count) => {
      if (rpc !== "createSandbox" || count > 1) return;
      giveUp.abort(new Error("the user's own reason"));
      cut();
    },
  }));
  const { connection } = front;
  const tags = ["lost-and-given-up"];
  await expect(Sandbox.run({ connection, tags, signal: giveUp.signal })).rejects.toThrow(
    "the user's own reason",
  );
  expect(
    await tally(service.connection, { tag: tags[0] ?? "", day: "answer lost, caller gave up" }),
  ).toEqual({ made: 1, stopped: 1, left: 0 });
});

test("every RPC is unavailable four times before it works", async () => {
  await using front = await startFaultyFront(service.connection, () => ({
    before: (_rpc, count) => {
      if (count <= 4)
        throw refusal(Code.Unavailable, ErrorReason.BACKEND_UNAVAILABLE, { retryNanos: 1e6 });
    },
  }));
  const { connection } = front;
  const tags = ["unavailable"];
  const session = new Session({ connection, defaults: { tags } });
  const sandbox = await session.sandbox({ files: { "/tmp/a": "content" } });
  expect(await sandbox.readTextFile("/tmp/a")).toBe("content");
  expect(await sandbox.status()).toMatchObject({ state: "running" });
  expect(await session.list().toArray()).toEqual([sandbox]);
  // Commands and writes might be carried out twice: they fail, and are sent once.
  for (const unsafe of [() => sandbox.exec(["true"]), () => sandbox.writeFile("/tmp/b", "")]) {
    await expect(unsafe()).rejects.toMatchObject({
      code: "unavailable",
      reason: ErrorReason.BACKEND_UNAVAILABLE,
      attempts: 1,
    });
  }
  expect([front.calls("streamExec"), front.calls("writeFile")]).toEqual([1, 1]);
  await session.close(quick);
  expect(
    await tally(service.connection, {
      tag: "unavailable",
      day: "UNAVAILABLE 4 times in every RPC",
    }),
  ).toEqual({ made: 1, stopped: 1, left: 0 });
});

test("every RPC is unavailable for ten seconds", async () => {
  const tags = ["ten-seconds"];
  let until = 0;
  await using front = await startFaultyFront(service.connection, () => ({
    before: () => {
      if (performance.now() < until) throw refusal(Code.Unavailable);
    },
  }));
  const { connection } = front;
  const outage = () => (until = performance.now() + 10_000);
  outage();
  const error = new Error("the user's own");
  const run = withSandbox({ connection, tags }, async (sandbox) => {
    outage();
    await expect(sandbox.exec(["true"])).rejects.toThrow(UnavailableError);
    throw error;
  });
  await expect(run).rejects.toBe(error);
  expect(
    await tally(service.connection, {
      tag: "ten-seconds",
      day: "UNAVAILABLE for 10 s, at start and at stop",
    }),
  ).toEqual({ made: 1, stopped: 1, left: 0 });
}, 60_000);

test("a service that stays unavailable", async () => {
  const tags = ["stays-away"];
  let away = false;
  await using front = await startFaultyFront(service.connection, () => ({
    before: () => {
      if (away) throw refusal(Code.Unavailable);
    },
  }));
  const session = new Session({ connection: front.connection, defaults: { tags } });
  const sandbox = await session.sandbox();
  away = true;
  const close = session.close({ ...quick, timeoutSeconds: 1 });
  await expect(close).rejects.toThrow(CleanupError);
  await expect(close).rejects.toMatchObject({ failures: [{ sandboxId: sandbox.id }] });
  await expect(close).rejects.toThrow(/tidybox reap --tag stays-away/);
  expect(
    await tally(service.connection, {
      tag: "stays-away",
      day: "close while the service is down for good",
      expectLeft: 1,
    }),
  ).toEqual({ made: 1, stopped: 0, left: 1 });
  await Sandbox.delete(sandbox.id, { connection: service.connection });
});

test("a quota is used up, and the service says when to come again", async () => {
  const tags = ["quota"];
  await using front = await startFaultyFront(service.connection, () => ({
    before: (rpc, count) => {
      if (rpc === "createSandbox" && count <= 6)
        throw refusal(Code.ResourceExhausted, ErrorReason.RUNNER_OVERLOADED, { retryNanos: 5e6 });
    },
  }));
  const session = new Session({ connection: front.connection, defaults: { tags } });
  await Promise.all([session.sandbox(), session.sandbox(), session.sandbox()]);
  await session.close(quick);
  expect(front.calls("createSandbox")).toBe(9);
  expect(
    await tally(service.connection, { tag: "quota", day: "RESOURCE_EXHAUSTED with RetryInfo" }),
  ).toEqual({ made: 3, stopped: 3, left: 0 });
});

test("a delete never answers", async () => {
  const tags = ["mute-delete"];
  const stuck = new Set<string>();
  await using front = await startFaultyFront(service.connection, () => ({
    before: (rpc, count, signal) =>
      rpc === "deleteSandbox" && count === 1 ? never(signal) : undefined,
  }));
  const { connection } = front;
  const session = new Session({ connection, defaults: { tags } });
  const [first, second] = await Promise.all([session.sandbox(), session.sandbox()]);
  stuck.add(first.id).add(second.id);
  const failure = await session
    .close({ ...quick, timeoutSeconds: 1 })
    .catch((error: unknown) => error);
  if (!(failure instanceof CleanupError)) return expect.unreachable();
  expect(failure.failures).toHaveLength(1);
  const [{ sandboxId = "", error } = {}] = failure.failures;
  expect(stuck).toContain(sandboxId);
  expect(error).toBeInstanceOf(TimeoutError);
  expect(failure.message).toContain(`${sandboxId}: Sandbox ${sandboxId} has not ended within`);
  expect(
    await tally(service.connection, {
      tag: "mute-delete",
      day: "a delete that never answers",
      expectLeft: 1,
    }),
  ).toEqual({ made: 2, stopped: 1, left: 1 });
  await Sandbox.delete(sandboxId, { connection: service.connection });
});

test("a delete does not answer once, and the next try is let through", async () => {
  const tags = ["mute-once"];
  await using front = await startFaultyFront(
    service.connection,
    () => ({
      before: (rpc, count, signal) =>
        rpc === "deleteSandbox" && count === 1 ? never(signal) : undefined,
    }),
    { requestTimeoutSeconds: 0.5 },
  );
  const session = new Session({ connection: front.connection, defaults: { tags } });
  const sandbox = await session.sandbox();
  // The limit of a try allows for the grace and 10 s; only the wait for it is cut here.
  await expect(sandbox.stop({ ...quick, timeoutSeconds: 0.5 })).rejects.toThrow(TimeoutError);
  await session.close(quick);
  expect(
    await tally(service.connection, {
      tag: "mute-once",
      day: "a delete that answers the second time",
    }),
  ).toEqual({ made: 1, stopped: 1, left: 0 });
});

test("the session is closed while creates are under way and their answers are lost", async () => {
  const tags = ["closed-meanwhile"];
  const created = new Set<number>();
  await using front = await startFaultyFront(service.connection, ({ cut }) => ({
    after: (rpc, count) => {
      if (rpc !== "createSandbox" || count > 3) return;
      created.add(count);
      if (created.size < 3) return;
      void session.close(quick);
      cut();
    },
  }));
  const session = new Session({ connection: front.connection, defaults: { tags } });
  const outcomes = await Promise.allSettled([1, 2, 3].map(() => session.sandbox()));
  await session.close();
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  expect(
    await tally(service.connection, {
      tag: "closed-meanwhile",
      day: "close under 3 creates, answers lost",
    }),
  ).toEqual({ made: 3, stopped: 3, left: 0 });
});

test("the clock jumps by an hour, both ways", async () => {
  const tags = ["clock"];
  const { connection } = service;
  const real = Date.now.bind(Date);
  let jumps = 0;
  // Each look at the clock is an hour off, now ahead and now behind.
  vi.spyOn(Date, "now").mockImplementation(
    () => real() + ((jumps += 1) % 2 === 0 ? 1 : -1) * 3_600_000,
  );
  const session = new Session({ connection, defaults: { tags } });
  const sandbox = await session.sandbox();
  expect((await sandbox.exec(["echo", "on time"], { timeoutSeconds: 20 })).stdout).toBe(
    "on time\n",
  );
  await expect(sandbox.exec(["sleep", "60"], { timeoutSeconds: 0.3 })).rejects.toMatchObject({
    code: "command_timeout",
  });
  await using front = await startFaultyFront(connection, () => ({
    before: (_rpc, count) => {
      if (count <= 3) throw refusal(Code.Unavailable);
    },
  }));
  expect(await Sandbox.fromId(sandbox.id, { connection: front.connection })).toMatchObject({
    state: "running",
  });
  await session.close(quick);
  vi.restoreAllMocks();
  expect(await tally(connection, { tag: "clock", day: "clock jumps by 1 h, both ways" })).toEqual({
    made: 1,
    stopped: 1,
    left: 0,
  });
});

test("what the user has given throws", async () => {
  const tags = ["callbacks"];
  const { connection } = service;
  const error = new Error("the user's own");
  await expect(
    withSandbox({ connection, tags }, () => {
      throw error;
    }),
  ).rejects.toBe(error);
  const scope = async () => {
    await using session = new Session({ connection, defaults: { tags } });
    void session.sandbox().catch(() => {});
    await session.sandbox();
    for await (const { id } of session.list()) if (id !== "") throw error;
  };
  await expect(scope()).rejects.toBe(error);
  let asked = 0;
  await using front = await startFaultyFront(
    connection,
    () => ({
      before: (rpc, count) => {
        if (rpc === "getSandbox" && count === 1) throw refusal(Code.Unauthenticated);
      },
    }),
    {
      apiKey: () => {
        asked += 1;
        if (asked === 2) throw error;
        return "key-for-the-front";
      },
    },
  );
  const sandbox = await Sandbox.run({ connection: front.connection, tags }).catch(
    (failure: unknown) => failure,
  );
  if (sandbox instanceof Sandbox) await sandbox.stop(quick);
  else expect(sandbox).toMatchObject({ code: "authentication_error", cause: error });
  expect(
    await tally(connection, { tag: "callbacks", day: "body, loop and key function throw" }),
  ).toEqual({ made: 4, stopped: 4, left: 0 });
});

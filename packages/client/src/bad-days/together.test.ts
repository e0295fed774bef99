/** Several at once on a bad day: parallel starts and background stops, by the service's own listing. */
import { afterEach, expect, test, vi } from "vitest";
import { CleanupError } from "../errors/cleanup-error.ts";
import { startCountsOf } from "../errors/start-counts.ts";
import { Session } from "../session/session.ts";
import { startFaultProxy } from "../testing/fault-proxy.ts";
import { startTestService } from "../testing/local-service.ts";
import { tally } from "../testing/tally.ts";
import { Connection } from "../connection/connection.ts";

afterEach(() => vi.restoreAllMocks());

const quick = { gracefulShutdownSeconds: 0 };

test("more asked for together than the quota ever holds: an error in time, and none is left", async () => {
  await using service = await startTestService({ faults: { quota: 3 } });
  const { connection } = service;
  await using session = new Session({ connection, defaults: { tags: ["quota"] } });
  const error = await session
    .sandboxes(6, { startTimeoutSeconds: 2 })
    .catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: expect.stringMatching(/timeout|quota_exceeded/) as unknown });
  expect(startCountsOf(error)?.asked).toBe(6);
  expect(await tally(connection, { tag: "quota", day: "6 together, quota 3" })).toEqual({
    made: 3,
    stopped: 3,
    left: 0,
  });
  // The quota is free again.
  expect(await session.sandboxes(3)).toHaveLength(3);
});

test("released ones make room for those that wait for quota", async () => {
  await using service = await startTestService({
    faults: { quota: 3, latency: { stop: "100ms" } },
  });
  const { connection } = service;
  const session = new Session({ connection, defaults: { tags: ["room"] } });
  const one = async (): Promise<void> => {
    const sandbox = await session.sandbox();
    try {
      await sandbox.exec(["true"], { check: true });
    } finally {
      session.release(sandbox, quick);
    }
  };
  await Promise.all(Array.from({ length: 9 }, one));
  await session.close();
  expect(
    await tally(connection, { tag: "room", day: "9 in turn through quota 3, released" }),
  ).toEqual({ made: 9, stopped: 9, left: 0 });
}, 60_000);

test("answers of creates and deletes are lost, and deletes fail: all are found and stopped", async () => {
  await using service = await startTestService({
    faults: {
      dropAnswer: { create: "0.2", delete: "0.2" },
      fail: { delete: "0.2" },
      seed: 5,
    },
  });
  const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  const { connection } = service;
  const session = new Session({ connection, maxStopping: 3, defaults: { tags: ["lost"] } });
  for (const sandbox of await session.sandboxes(10)) session.release(sandbox, quick);
  await session.close();
  expect(await tally(connection, { tag: "lost", day: "10, answers lost, deletes fail" })).toEqual({
    made: 10,
    stopped: 10,
    left: 0,
  });
  expect(warn).not.toHaveBeenCalled();
}, 60_000);

test("one cannot start while answers are lost: the others are found by their keys", async () => {
  await using service = await startTestService({
    faults: { dropAnswer: { create: "0.3" }, latency: { start: "100ms" }, seed: 3 },
  });
  const { connection } = service;
  await using session = new Session({ connection, defaults: { tags: ["keys"] } });
  const plans = Array.from({ length: 8 }, (_, index) =>
    index === 4 ? { command: ["/no/such/program"] } : {},
  );
  const error = await session.sandboxes(plans).catch((thrown: unknown) => thrown);
  expect(startCountsOf(error)).toEqual({ asked: 8, failed: 1 });
  await session.close(quick);
  expect((await tally(connection, { tag: "keys", day: "1 of 8 fails, answers lost" })).left).toBe(
    0,
  );
}, 60_000);

test("the service is cut off while stops wait: the close ends in time and names all", async () => {
  await using service = await startTestService({ faults: { latency: { delete: "300ms" } } });
  await using proxy = await startFaultProxy(service.baseUrl);
  using connection = new Connection({ baseUrl: proxy.baseUrl, apiKey: service.apiKey });
  const session = new Session({ connection, maxStopping: 1, defaults: { tags: ["cut-off"] } });
  const sandboxes = await session.sandboxes(4);
  for (const sandbox of sandboxes) session.release(sandbox, quick);
  proxy.refuse();
  proxy.cut();
  const failure = await session.close({ timeoutSeconds: 3 }).catch((error: unknown) => error);
  if (!(failure instanceof CleanupError)) return expect.unreachable();
  expect(failure.failures.map(({ sandboxId }) => sandboxId).toSorted()).toEqual(
    sandboxes.map(({ id }) => id).toSorted(),
  );
  proxy.heal();
  const second = new Session({ connection, defaults: { tags: ["cut-off"] } });
  await second.list({ adopt: true }).toArray();
  await second.close(quick);
  expect(
    await tally(service.connection, { tag: "cut-off", day: "cut off with 4 released" }),
  ).toEqual({ made: 4, stopped: 4, left: 0 });
}, 60_000);

/** A wire that breaks, stalls or lags, in front of the real service. */
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { Connection, type ConnectionOptions } from "../connection/connection.ts";
import { CleanupError } from "../errors/cleanup-error.ts";
import { CommandTimeoutError } from "../errors/command-errors.ts";
import { TimeoutError, UnavailableError } from "../errors/request-errors.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import { Session } from "../session/session.ts";
import { type FaultProxy, startFaultProxy } from "../testing/fault-proxy.ts";
import { type TestService, startTestService } from "../testing/local-service.ts";
import { tally } from "../testing/tally.ts";

let service: TestService;
let proxy: FaultProxy;
const connections: Connection[] = [];
beforeAll(async () => {
  service = await startTestService();
  proxy = await startFaultProxy(service.connection.baseUrl);
});
afterEach(() => {
  proxy.heal();
  for (const connection of connections.splice(0)) connection.close();
});
afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await service?.[Symbol.asyncDispose]();
});

const quick = { gracefulShutdownSeconds: 0 };
const MEBIBYTE = 1024 * 1024;

function through(options: ConnectionOptions = {}): Connection {
  const { apiKey } = service;
  const connection = new Connection({ baseUrl: proxy.baseUrl, apiKey, ...options });
  connections.push(connection);
  return connection;
}

const there = (tag: string) =>
  Sandbox.list({ connection: service.connection, tags: [tag] }).toArray();

test("the wire is cut between a create and its answer", async () => {
  const tags = ["cut-create"];
  const connection = through();
  await Sandbox.list({ connection }).toArray();
  proxy.stall({ directions: ["down"] });
  const run = Sandbox.run({ connection, tags });
  await vi.waitFor(async () => expect(await there("cut-create")).toHaveLength(1), 10_000);
  proxy.cut();
  const sandbox = await run;
  await sandbox.stop(quick);
  expect(
    await tally(service.connection, { tag: "cut-create", day: "wire cut after create" }),
  ).toEqual({ made: 1, stopped: 1, left: 0 });
});

test("the wire is cut in the middle of a command", async () => {
  const tags = ["cut-exec"];
  const sandbox = await Sandbox.run({ connection: through(), tags });
  await sandbox.exec(["true"]);
  proxy.after(MEBIBYTE, "down", proxy.cut);
  const script = "echo ran >> /tmp/runs; head -c 8000000 /dev/zero";
  const exec = sandbox.exec(["sh", "-c", script]);
  await expect(exec).rejects.toThrow(UnavailableError);
  await expect(exec).rejects.toMatchObject({ sandboxId: sandbox.id, attempts: 1 });
  expect(await sandbox.readTextFile("/tmp/runs")).toBe("ran\n");
  await sandbox.stop(quick);
  expect(
    await tally(service.connection, { tag: "cut-exec", day: "wire cut in a command" }),
  ).toEqual({
    made: 1,
    stopped: 1,
    left: 0,
  });
});

test("the wire is cut in the middle of a file", async () => {
  const tags = ["cut-file"];
  const sandbox = await Sandbox.run({ connection: through(), tags });
  const content = new Uint8Array(4 * MEBIBYTE).map((_, index) => index % 251);
  await sandbox.writeFile("/tmp/file", content);
  proxy.after(MEBIBYTE, "down", proxy.cut);
  expect(Buffer.compare(await sandbox.readFile("/tmp/file"), content)).toBe(0);
  proxy.after(MEBIBYTE, "up", proxy.cut);
  await expect(sandbox.writeFile("/tmp/file", new Uint8Array(4 * MEBIBYTE))).rejects.toMatchObject({
    code: "unavailable",
    sandboxId: sandbox.id,
  });
  // What came in part was not written.
  expect(Buffer.compare(await sandbox.readFile("/tmp/file"), content)).toBe(0);
  await sandbox.stop(quick);
  expect(
    await tally(service.connection, { tag: "cut-file", day: "wire cut in a file, both ways" }),
  ).toEqual({ made: 1, stopped: 1, left: 0 });
});

test("the wire goes dead under a command, and nobody is told", async () => {
  const tags = ["half-open-exec"];
  const sandbox = await Sandbox.run({ connection: through(), tags });
  const exec = sandbox.exec(["sh", "-c", "echo begun; touch /tmp/begun; sleep 60"], {
    timeoutSeconds: 2,
  });
  const beside = await Sandbox.fromId(sandbox.id, { connection: service.connection });
  await vi.waitFor(() => beside.exec(["test", "-e", "/tmp/begun"], { check: true }), 10_000);
  proxy.stall();
  const failure = await exec.catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(CommandTimeoutError);
  // The next one does not wait on the dead connection.
  expect((await sandbox.exec(["echo", "again"], { timeoutSeconds: 20 })).stdout).toBe("again\n");
  await sandbox.stop({ ...quick, timeoutSeconds: 20 });
  expect(
    await tally(service.connection, { tag: "half-open-exec", day: "half-open under a command" }),
  ).toEqual({ made: 1, stopped: 1, left: 0 });
});

test("the wire goes dead under a create, and the next try takes another one", async () => {
  const tags = ["half-open-create"];
  const connection = through({ requestTimeoutSeconds: 0.5 });
  await Sandbox.list({ connection }).toArray();
  const { opened } = proxy;
  proxy.stall({ directions: ["down"] });
  const sandbox = await Sandbox.run({ connection, tags });
  expect(proxy.opened).toBeGreaterThan(opened);
  await sandbox.stop(quick);
  expect(
    await tally(service.connection, { tag: "half-open-create", day: "half-open under a create" }),
  ).toEqual({ made: 1, stopped: 1, left: 0 });
});

test("a create on a dead wire is given up, found and stopped once there is a wire again", async () => {
  const tags = ["half-open-given-up"];
  const connection = through({ requestTimeoutSeconds: 1 });
  await Sandbox.list({ connection }).toArray();
  proxy.stall({ directions: ["down"] });
  const run = Sandbox.run({ connection, tags, startTimeoutSeconds: 0.5 });
  await vi.waitFor(async () => expect(await there("half-open-given-up")).toHaveLength(1), 10_000);
  await expect(run).rejects.toThrow(TimeoutError);
  expect(
    await tally(service.connection, {
      tag: "half-open-given-up",
      day: "half-open under a create, timed out",
    }),
  ).toEqual({ made: 1, stopped: 1, left: 0 });
});

test("the wire goes dead under a stop, and the next try takes another one", async () => {
  const tags = ["half-open-stop"];
  const sandbox = await Sandbox.run({ connection: through({ requestTimeoutSeconds: 0.5 }), tags });
  proxy.stall();
  await expect(sandbox.stop({ ...quick, timeoutSeconds: 0.5 })).rejects.toThrow(TimeoutError);
  await sandbox.stop({ ...quick, timeoutSeconds: 20 });
  expect(
    await tally(service.connection, { tag: "half-open-stop", day: "half-open under a stop" }),
  ).toEqual({ made: 1, stopped: 1, left: 0 });
});

test("no wire at all any more: a close ends in time, and says what is left", async () => {
  const tags = ["no-wire"];
  const session = new Session({ connection: through(), defaults: { tags } });
  const sandboxes = await Promise.all([session.sandbox(), session.sandbox()]);
  proxy.stall({ future: true });
  const failure = await session
    .close({ ...quick, timeoutSeconds: 1 })
    .catch((error: unknown) => error);
  if (!(failure instanceof CleanupError)) return expect.unreachable();
  expect(failure.failures.map(({ sandboxId }) => sandboxId)).toEqual(sandboxes.map(({ id }) => id));
  expect(
    await tally(service.connection, {
      tag: "no-wire",
      day: "close with no wire left",
      expectLeft: 2,
    }),
  ).toEqual({ made: 2, stopped: 0, left: 2 });
  for (const { id } of sandboxes) await Sandbox.delete(id, { connection: service.connection });
});

test("connections are refused while sandboxes are to be stopped, and then not any more", async () => {
  const tags = ["refused"];
  const session = new Session({ connection: through(), defaults: { tags } });
  await Promise.all([session.sandbox(), session.sandbox()]);
  const { opened } = proxy;
  proxy.refuse();
  proxy.cut();
  const close = session.close(quick);
  await vi.waitFor(() => expect(proxy.opened).toBeGreaterThan(opened + 2), 10_000);
  proxy.heal();
  await close;
  expect(
    await tally(service.connection, { tag: "refused", day: "connections refused under a close" }),
  ).toEqual({ made: 2, stopped: 2, left: 0 });
});

test("a slow wire is no fault", async () => {
  const tags = ["slow"];
  proxy.delay(50);
  {
    await using sandbox = await Sandbox.run({ connection: through(), tags });
    expect((await sandbox.exec(["cat"], { input: "x".repeat(200_000) })).stdout).toHaveLength(
      200_000,
    );
    await sandbox.stop(quick);
  }
  expect(await tally(service.connection, { tag: "slow", day: "50 ms on every chunk" })).toEqual({
    made: 1,
    stopped: 1,
    left: 0,
  });
});

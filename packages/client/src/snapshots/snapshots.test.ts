import { afterAll, beforeAll, expect, test } from "vitest";
import { ConfigurationError, NotFoundError, TimeoutError } from "../errors/request-errors.ts";
import { SandboxClosedError } from "../errors/sandbox-errors.ts";
import { SnapshotFailedError } from "../errors/snapshot-errors.ts";
import type { VolumeOptions } from "../options/storage-options.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import { startTestService, type TestService } from "../testing/local-service.ts";
import { Snapshot } from "./snapshot.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service[Symbol.asyncDispose]());

const volume = (name: string, scratch: VolumeOptions["scratch"] = {}): VolumeOptions => ({
  name,
  mountPath: `/${name}`,
  scratch,
});

const run = (volumes: readonly VolumeOptions[], more = {}) =>
  Sandbox.run({ connection: service.connection, volumes, ...more });

test("written, taken, stopped, restored in another sandbox, read", async () => {
  const { connection } = service;
  const workspace = { name: "workspace", mountPath: "/workspace" };
  const first = await run([workspace]);
  await first.writeFile("/workspace/deep/data.txt", "kept");
  const snapshot = await first.snapshot();
  expect(snapshot).toMatchObject({
    state: "ready",
    stateReason: "",
    sourceSandboxId: first.id,
    volume: "workspace",
    createdAt: expect.any(Date),
    completedAt: expect.any(Date),
  });
  expect(snapshot.sizeBytes).toBeGreaterThan(0);
  await first.stop({ gracefulShutdownSeconds: 0 });
  await using second = await run([
    { ...workspace, scratch: { restoreFromSnapshotId: snapshot.id } },
  ]);
  expect(await second.readTextFile("/workspace/deep/data.txt")).toBe("kept");
  expect(await snapshot.delete()).toBe(true);
  await expect(snapshot.delete()).rejects.toThrow(NotFoundError);
  expect(await snapshot.delete({ missingOk: true })).toBe(false);
  await expect(snapshot.refresh()).rejects.toThrow(NotFoundError);
  await expect(Snapshot.fromId(snapshot.id, { connection })).rejects.toThrow(NotFoundError);
  expect(await second.readTextFile("/workspace/deep/data.txt")).toBe("kept");
  const gone = run([{ ...workspace, scratch: { restoreFromSnapshotId: snapshot.id } }]);
  await expect(gone).rejects.toMatchObject({ reason: "CWSANDBOX_FSS_NOT_FOUND" });
});

test("a stop takes snapshots of all volumes, in order, and several stops take them once", async () => {
  const { connection } = service;
  const sandbox = await run([volume("a"), volume("b", { medium: "memory", size: "16Mi" })]);
  await sandbox.writeFile("/a/x", "of a");
  await sandbox.writeFile("/b/x", "of b");
  const stops = [sandbox.stop({ snapshotOnStop: true }), sandbox.stop({ snapshotOnStop: ["b"] })];
  const [{ snapshotIds = [], state } = {}, second] = await Promise.all(stops);
  expect(state).toBe("terminated");
  expect(second?.snapshotIds).toEqual(snapshotIds);
  const snapshots = await Promise.all(
    snapshotIds.map(async (id) => (await Snapshot.fromId(id, { connection })).wait()),
  );
  expect(snapshots.map((each) => [each.volume, each.state])).toEqual([
    ["a", "ready"],
    ["b", "ready"],
  ]);
  const ofSandbox = Snapshot.list({ sourceSandboxId: sandbox.id, connection });
  expect((await ofSandbox.toArray()).map(({ id }) => id)).toEqual(snapshotIds);
  await using restored = await run([volume("c", { restoreFromSnapshotId: snapshotIds[1] })]);
  expect(await restored.readTextFile("/c/x")).toBe("of b");
  for (const id of snapshotIds) expect(await Snapshot.delete(id, { connection })).toBe(true);
  expect(await ofSandbox.toArray()).toEqual([]);
  const [id = ""] = snapshotIds;
  await expect(Snapshot.delete(id, { connection })).rejects.toThrow(NotFoundError);
  expect(await Snapshot.delete(id, { connection, missingOk: true })).toBe(false);
});

test("a stop takes those that are named, and a plain stop none", async () => {
  const named = await run([volume("a"), volume("b")]);
  const { snapshotIds } = await named.stop({
    snapshotOnStop: ["b", "a"],
    gracefulShutdownSeconds: 0,
  });
  const { connection } = service;
  const taken = await Promise.all(snapshotIds.map((id) => Snapshot.fromId(id, { connection })));
  expect(taken.map((each) => each.volume)).toEqual(["b", "a"]);
  const plain = await run([volume("a")]);
  expect(await plain.stop()).toMatchObject({ snapshotIds: [], state: "terminated" });
});

test("what cannot be taken is refused, and the sandbox lives on", async () => {
  await using none = await run([]);
  await using two = await run([volume("a"), volume("b")]);
  await expect(none.snapshot()).rejects.toThrow(/no scratch volume/);
  await expect(none.stop({ snapshotOnStop: true })).rejects.toThrow(ConfigurationError);
  await expect(two.snapshot()).rejects.toThrow(/must name one of a, b/);
  await expect(two.snapshot({ volume: "c" })).rejects.toThrow(/names no volume/);
  await expect(two.stop({ snapshotOnStop: ["c"] })).rejects.toThrow(/names no volume/);
  expect((await none.status()).state).toBe("running");
  expect((await two.status()).state).toBe("running");
  const snapshot = await two.snapshot({ volume: "b" });
  expect(snapshot.volume).toBe("b");
});

test("of one that has ended none can be taken, and the stop says so", async () => {
  const sandbox = await run([volume("a")], { command: ["true"] });
  await sandbox.wait();
  await expect(sandbox.snapshot()).rejects.toThrow(SandboxClosedError);
  await expect(sandbox.stop({ snapshotOnStop: true })).rejects.toThrow(SandboxClosedError);
  expect(await sandbox.stop()).toMatchObject({ state: "completed", snapshotIds: [] });
});

test("a snapshot that fails is an error with its reason, and its record stays", async () => {
  const { connection } = service;
  const memory = volume("m", { medium: "memory", size: "16Mi" });
  await using sandbox = await run([memory], {
    // Without PATH there is no tar inside.
    environment: { PATH: "/nowhere" },
    command: ["/usr/bin/sleep", "600"],
  });
  const failing = sandbox.snapshot();
  await expect(failing).rejects.toThrow(SnapshotFailedError);
  await expect(failing).rejects.toMatchObject({
    code: "snapshot_failed",
    sandboxId: sandbox.id,
    stateReason: expect.stringContaining("CWSANDBOX_FSS_CREATE_FAILED"),
  });
  const [record] = await Snapshot.list({ connection, sourceSandboxId: sandbox.id }).toArray();
  expect(record).toMatchObject({ state: "failed", sizeBytes: 0 });
  expect(await record?.delete()).toBe(true);
});

test("need not be waited for, and the waiting has an end", async () => {
  await using sandbox = await run([volume("a")]);
  await sandbox.exec(["sh", "-c", "head -c 100000000 /dev/urandom > /a/large"]);
  const begun = await sandbox.snapshot({ wait: false });
  expect(begun.state).toBe("creating");
  const late = begun.wait({ timeoutSeconds: 0 });
  await expect(late).rejects.toThrow(TimeoutError);
  await expect(late).rejects.toMatchObject({ metadata: { snapshotId: begun.id } });
  await expect(begun.delete()).rejects.toMatchObject({ reason: "CWSANDBOX_FSS_NOT_READY" });
  const giveUp = new AbortController();
  const waiting = begun.wait({ signal: giveUp.signal });
  const reason = new Error("enough");
  giveUp.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  expect(await begun.wait()).toBe(begun);
  expect(begun.state).toBe("ready");
  expect(begun.sizeBytes).toBeGreaterThan(100_000_000);
  await begun.delete();
});

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import {
  ErrorReason,
  type FileSystemSnapshot,
  SnapshotState,
  SnapshotTrigger,
  State,
} from "@tidybox/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createRunning,
  eventually,
  pause,
  refusalOf,
  sh,
  specOf,
  startTestService,
  stateFolders,
  type TestService,
  untilEnded,
} from "../../testing/test-service.ts";
import { settledSnapshot, takeSnapshot, withVolumes } from "../../testing/volumes.ts";

describe("snapshots with the engine bubblewrap", () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startTestService({ engine: "bubblewrap" });
  });
  afterAll(() => service.close());

  const settled = (id: string): Promise<FileSystemSnapshot> => settledSnapshot(service.client, id);
  const take = (sandboxId: string, volume = ""): Promise<FileSystemSnapshot> =>
    takeSnapshot(service.client, sandboxId, volume);

  const text = async (sandboxId: string, script: string): Promise<string> => {
    const { stdout, stderr } = await sh(service.client, sandboxId, script);
    return stdout + stderr;
  };

  const FILL = `
    mkdir -p sub/deep locked && echo one > sub/deep/file && echo two > 'new
line' && ln -s /etc/passwd link && ln -s sub here && ln sub/deep/file hard && chmod 4711 hard
    mkfifo pipe; truncate -s 1T sparse; echo x > locked/in`;
  const SHOW = `find . -mindepth 1 -printf '%p %y %m %l\\n' | sort; cat sub/deep/file; cat 'new
line'; stat -c %s sparse; [ hard -ef sub/deep/file ] && echo same`;

  test.each([
    [false, false],
    [true, true],
    [true, false],
    [false, true],
  ])("hold all that is in a volume, from memory: %s, to memory: %s", async (from, to) => {
    const source = await createRunning(
      service.client,
      withVolumes([{ name: "data", memory: from }]),
    );
    await text(source, `cd /data; ${FILL}`);
    // Root of a sandbox has no capabilities: in memory, a closed folder is closed to its tar too.
    if (!from && !to) await text(source, "cd /data; chmod 000 locked/in locked");
    const shown = await text(source, `cd /data; ${SHOW}`);
    const snapshot = await take(source);
    expect(snapshot).toMatchObject({
      state: SnapshotState.READY,
      stateReason: "",
      sourceSandboxId: source,
      sourceVolumeName: "data",
      trigger: SnapshotTrigger.MANUAL,
      createTime: expect.anything(),
      completeTime: expect.anything(),
    });
    expect(Number(snapshot.sizeBytes)).toBeGreaterThan(1000);
    await service.client.deleteSandbox({ sandboxId: source });
    const { fileSystemSnapshotId } = snapshot;
    const restored = await createRunning(
      service.client,
      withVolumes([{ name: "other", memory: to, from: fileSystemSnapshotId }]),
    );
    expect(await text(restored, `cd /other; ${SHOW}`)).toBe(shown);
    await service.client.deleteFileSystemSnapshot({ fileSystemSnapshotId });
    expect(await text(restored, "cat /other/sub/deep/file")).toBe("one\n");
  });

  test("are taken while the sandbox writes", async () => {
    const sandboxId = await createRunning(
      service.client,
      withVolumes([{ name: "data" }], {
        command: "/bin/sh",
        args: [
          "-c",
          "cd /data; i=0; while :; do i=$((i+1)); head -c 300000 /dev/zero >> grow; echo $i > f$((i%50)); rm -f f$(((i+25)%50)); done",
        ],
      }),
    );
    for (let count = 0; count < 5; count += 1)
      expect(await take(sandboxId)).toMatchObject({ state: SnapshotState.READY, stateReason: "" });
  });

  test("are taken in the order of a delete's request, after the main process's last words", async () => {
    const spec = withVolumes([{ name: "a" }, { name: "b", memory: true }], {
      command: "/bin/sh",
      args: [
        "-c",
        "trap 'echo bye > /a/note; echo bye > /b/note; exit 0' TERM; echo > /a/ready; while :; do sleep 0.05; done",
      ],
    });
    const sandboxId = await createRunning(service.client, spec);
    await eventually(
      async () => (await sh(service.client, sandboxId, "test -e /a/ready")).exitCode === 0,
    );
    const request = {
      sandboxId,
      gracePeriodSeconds: 60,
      snapshotVolumes: ["b", "a"],
      requestId: "stop-1",
    };
    const { fileSystemSnapshotIds: ids, sandbox } = await service.client.deleteSandbox(request);
    expect([State.TERMINATING, State.TERMINATED]).toContain(sandbox?.status?.state);
    expect((await service.client.deleteSandbox(request)).fileSystemSnapshotIds).toEqual(ids);
    expect((await untilEnded(service.client, sandboxId)).status?.state).toBe(State.TERMINATED);
    const snapshots = await Promise.all(ids.map(settled));
    expect(snapshots).toMatchObject(
      ["b", "a"].map((sourceVolumeName) => ({
        state: SnapshotState.READY,
        trigger: SnapshotTrigger.ON_DELETE,
        requestId: "stop-1",
        sourceVolumeName,
      })),
    );
    expect((await service.client.deleteSandbox(request)).fileSystemSnapshotIds).toEqual(ids);
    const other = { ...request, snapshotVolumes: ["a", "b"] };
    expect(await refusalOf(service.client.deleteSandbox(other))).toMatchObject({
      code: Code.InvalidArgument,
      message: expect.stringContaining("request_id"),
    });
    const restored = await createRunning(
      service.client,
      withVolumes([
        { name: "a", from: ids[1] ?? "" },
        { name: "b", from: ids[0] ?? "" },
      ]),
    );
    expect(await text(restored, "cat /a/note /b/note")).toBe("bye\nbye\n");
  });

  test("that fail do not keep a sandbox from ending", async () => {
    const spec = withVolumes([{ name: "m", memory: true }], {
      environmentVariables: { PATH: "/nowhere" },
    });
    const sandboxId = await createRunning(service.client, spec);
    const { fileSystemSnapshotIds: ids } = await service.client.deleteSandbox({
      sandboxId,
      snapshotVolumes: ["m"],
    });
    expect((await untilEnded(service.client, sandboxId)).status?.state).toBe(State.TERMINATED);
    const snapshot = await settled(ids[0] ?? "");
    expect(snapshot.state).toBe(SnapshotState.FAILED);
    expect(snapshot.stateReason).toContain(ErrorReason.FSS_CREATE_FAILED);
    expect(snapshot.completeTime).toBeDefined();
    expect(snapshot.sizeBytes).toBe(0n);
    const spec2 = withVolumes([{ name: "m", from: snapshot.fileSystemSnapshotId }]);
    expect(await refusalOf(createRunning(service.client, spec2))).toMatchObject({
      code: Code.FailedPrecondition,
      reason: ErrorReason.FSS_NOT_READY,
    });
  });

  test("in memory are whole or FAILED when the sandbox goes away under them", async () => {
    const size = 40_000_000;
    for (const wait of [0, 5, 20, 40]) {
      const sandboxId = await createRunning(
        service.client,
        withVolumes([{ name: "m", memory: true }]),
      );
      await text(sandboxId, `head -c ${size} /dev/zero > /m/large`);
      const begun = await service.client.createFileSystemSnapshot({ sandboxId });
      await pause(wait);
      await service.client.deleteSandbox({ sandboxId });
      const { state, sizeBytes } = await settled(begun.fileSystemSnapshotId);
      if (state === SnapshotState.READY) expect(Number(sizeBytes)).toBeGreaterThan(size);
      else expect(state).toBe(SnapshotState.FAILED);
    }
  });

  test("lead no link of a sandbox out of its folder, on the way in or out", async () => {
    const [state = ""] = stateFolders(service);
    const before = readdirSync(state).toSorted();
    const sandboxId = await createRunning(service.client, withVolumes([{ name: "data" }]));
    await text(sandboxId, `cd /data; ln -s ${state} out; ln -s ../../.. up; ln -s /tmp tmp`);
    const { fileSystemSnapshotId: from, sizeBytes } = await take(sandboxId);
    // Links, and nothing behind them.
    expect(Number(sizeBytes)).toBeLessThan(20_000);
    for (const link of ["out", "up", "tmp"]) {
      const traps = [
        withVolumes([{ name: "data", from, subPath: `${link}/made` }]),
        withVolumes([
          { name: "data", from },
          { name: "x", path: `/data/${link}/made` },
        ]),
        withVolumes([{ name: "data", from }], { workingDir: `/data/${link}/made` }),
      ];
      for (const spec of traps) {
        const failed = createRunning(service.client, spec);
        await expect(failed).rejects.toThrow(/is no folder in the volume's snapshot/);
      }
    }
    // The service makes the second one by itself, when it has time.
    expect(
      readdirSync(state).filter((name) => !["snapshots", "etc-complete", ...before].includes(name)),
    ).toEqual([]);
  });

  test("are listed by their sandbox, page by page, and are gone when they are deleted", async () => {
    const sandboxId = await createRunning(service.client, withVolumes([{ name: "data" }]));
    const taken = [await take(sandboxId), await take(sandboxId), await take(sandboxId)];
    const ids = taken.map(({ fileSystemSnapshotId }) => fileSystemSnapshotId);
    const listed: string[] = [];
    for (let pageToken = ""; ;) {
      const page = await service.client.listFileSystemSnapshots({
        sourceSandboxId: sandboxId,
        pageSize: 2,
        pageToken,
      });
      listed.push(...page.fileSystemSnapshots.map((each) => each.fileSystemSnapshotId));
      pageToken = page.nextPageToken;
      if (pageToken === "") break;
    }
    expect(listed).toEqual(ids);
    const all = await service.client.listFileSystemSnapshots({});
    expect(all.fileSystemSnapshots.length).toBeGreaterThanOrEqual(3);
    const [state = ""] = stateFolders(service);
    for (const fileSystemSnapshotId of ids) {
      expect(await service.client.deleteFileSystemSnapshot({ fileSystemSnapshotId })).toMatchObject(
        { fileSystemSnapshotId, state: SnapshotState.DELETING },
      );
      const gone = { code: Code.NotFound, reason: ErrorReason.FSS_NOT_FOUND };
      const { client } = service;
      expect(await refusalOf(client.getFileSystemSnapshot({ fileSystemSnapshotId }))).toMatchObject(
        gone,
      );
      expect(
        await refusalOf(client.deleteFileSystemSnapshot({ fileSystemSnapshotId })),
      ).toMatchObject(gone);
      await client.deleteFileSystemSnapshot({ fileSystemSnapshotId, allowMissing: true });
      expect(readdirSync(join(state, "snapshots"))).not.toContain(`${fileSystemSnapshotId}.tar`);
      const spec = withVolumes([{ name: "data", from: fileSystemSnapshotId }]);
      expect(await refusalOf(createRunning(client, spec))).toMatchObject(gone);
    }
  });

  test("are one for one token", async () => {
    const sandboxId = await createRunning(
      service.client,
      withVolumes([{ name: "a" }, { name: "b" }]),
    );
    const request = { sandboxId, requestId: "token-1", scratchVolumeName: "a" };
    const create = (more = {}) => service.client.createFileSystemSnapshot({ ...request, ...more });
    const [first, second] = await Promise.all([create(), create()]);
    expect(second.fileSystemSnapshotId).toBe(first.fileSystemSnapshotId);
    expect(first.requestId).toBe("token-1");
    const refused = { code: Code.InvalidArgument };
    expect(await refusalOf(create({ scratchVolumeName: "b" }))).toMatchObject(refused);
    expect(await refusalOf(create({ requestId: "x".repeat(129) }))).toMatchObject(refused);
  });

  test("of what has none are refused in words", async () => {
    const { client } = service;
    const invalid = { code: Code.InvalidArgument };
    const none = await createRunning(client);
    const two = await createRunning(client, withVolumes([{ name: "a" }, { name: "b" }]));
    const create = (sandboxId: string, scratchVolumeName = "") =>
      refusalOf(client.createFileSystemSnapshot({ sandboxId, scratchVolumeName }));
    expect(await create(none)).toMatchObject(invalid);
    expect(await create(two)).toMatchObject(invalid);
    expect(await create(two, "c")).toMatchObject(invalid);
    expect(await create("sb-none")).toMatchObject({ code: Code.NotFound });
    const stop = (more: object) =>
      refusalOf(client.deleteSandbox({ sandboxId: two, snapshotVolumes: ["a"], ...more }));
    expect(await stop({ snapshotVolumes: ["a", "c"] })).toMatchObject(invalid);
    expect(await stop({ requestId: "x".repeat(129) })).toMatchObject(invalid);
    expect(await stop({ allowMissing: true })).toMatchObject({
      code: Code.FailedPrecondition,
      reason: ErrorReason.INVALID_REQUEST,
    });
    expect((await client.getSandbox({ sandboxId: two })).status?.state).toBe(State.RUNNING);
    await client.deleteSandbox({ sandboxId: two });
    await untilEnded(client, two);
    const notRunning = { reason: ErrorReason.SANDBOX_NOT_RUNNING };
    expect(await create(two, "a")).toMatchObject(notRunning);
    expect(await stop({})).toMatchObject(notRunning);
  });

  test("do not keep the service from closing", async () => {
    const own = await startTestService({ engine: "bubblewrap" });
    const sandboxId = await createRunning(own.client, withVolumes([{ name: "data" }]));
    await sh(own.client, sandboxId, "head -c 300000000 /dev/urandom > /data/large");
    await own.client.createFileSystemSnapshot({ sandboxId });
    await own.client.deleteSandbox({ sandboxId, snapshotVolumes: ["data"] });
    // Throws when anything is left of it.
    await own.close();
  });
});

test("the engine process refuses snapshots, and volumes that begin with one", async () => {
  const service = await startTestService({ engine: "process" });
  try {
    const { client } = service;
    const sandboxId = await createRunning(
      client,
      specOf({}, { volumes: [{ name: "v", source: { case: "scratch", value: {} } }] }),
    );
    const refused = { code: Code.FailedPrecondition, reason: ErrorReason.FSS_NOT_SUPPORTED };
    expect(await refusalOf(client.createFileSystemSnapshot({ sandboxId }))).toMatchObject(refused);
    const stop = client.deleteSandbox({ sandboxId, snapshotVolumes: ["v"] });
    expect(await refusalOf(stop)).toMatchObject(refused);
    const value = { restoreFromSnapshotId: "fss-1" };
    const spec = specOf({}, { volumes: [{ name: "v", source: { case: "scratch", value } }] });
    expect(await refusalOf(createRunning(client, spec))).toMatchObject(refused);
  } finally {
    await service.close();
  }
});

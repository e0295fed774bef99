import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { SnapshotState } from "@tidybox/protocol";
import { describe, expect, test } from "vitest";
import { startedServices } from "../testing/started-services.ts";
import { createRunning, eventually, run, sh, specOf } from "../testing/test-service.ts";

const { start, close, kill, folder } = startedServices();

describe("a data folder", () => {
  const template = { containers: [{ name: "main", image: "python:3.11" }], tags: ["kept"] };
  const spec = specOf(
    { volumeMounts: [{ volume: "data", mountPath: "/data" }] },
    { volumes: [{ name: "data", source: { case: "volumeId", value: "kept" } }] },
  );

  test("keeps templates and volumes over a restart, privately", async () => {
    const dataFolder = join(folder(), "data");
    const first = await start({ dataFolder, volumes: { kept: {} }, templates: { kept: template } });
    const sandboxId = await createRunning(first.client, spec);
    await sh(first.client, sandboxId, "echo still here > /data/note");
    await close(first);
    expect(statSync(dataFolder).mode & 0o777).toBe(0o700);
    const second = await start({ dataFolder, volumes: { kept: {} } });
    const again = await createRunning(second.client, spec);
    expect((await run(second.client, again, "cat", "/data/note")).stdout).toBe("still here\n");
    const made = await second.client.createSandboxFromTemplate({ templateId: "kept" });
    expect(made).toMatchObject({ sourceTemplateRevision: 1n, spec: { tags: ["kept"] } });
    await close(second);
    const changed = { kept: { ...template, tags: ["changed"] } };
    const third = await start({ dataFolder, templates: changed });
    const newer = await third.client.createSandboxFromTemplate({ templateId: "kept" });
    expect(newer).toMatchObject({ sourceTemplateRevision: 2n, spec: { tags: ["changed"] } });
  });

  test("keeps snapshots over a restart, and nothing of those that were not finished", async () => {
    const dataFolder = join(folder(), "data");
    const scratch = (restoreFromSnapshotId = "") =>
      specOf(
        { volumeMounts: [{ volume: "work", mountPath: "/work" }] },
        {
          volumes: [
            { name: "work", source: { case: "scratch", value: { restoreFromSnapshotId } } },
          ],
        },
      );
    const first = await start({ dataFolder });
    const sandboxId = await createRunning(first.client, scratch());
    await sh(first.client, sandboxId, "echo precious > /work/file");
    const asked = { sandboxId, requestId: "once" };
    const { fileSystemSnapshotId } = await first.client.createFileSystemSnapshot(asked);
    const taken = async () => first.client.getFileSystemSnapshot({ fileSystemSnapshotId });
    await eventually(async () => (await taken()).state === SnapshotState.READY);
    const before = await taken();
    await kill(first);
    writeFileSync(join(dataFolder, "snapshots", "fss-unfinished.tar"), "half");

    const { client } = await start({ dataFolder });
    expect(await client.getFileSystemSnapshot({ fileSystemSnapshotId })).toEqual(before);
    expect(readdirSync(join(dataFolder, "snapshots"))).not.toContain("fss-unfinished.tar");
    const restored = await createRunning(client, scratch(fileSystemSnapshotId));
    expect((await run(client, restored, "cat", "/work/file")).stdout).toBe("precious\n");
    await client.deleteFileSystemSnapshot({ fileSystemSnapshotId });
    expect(readdirSync(join(dataFolder, "snapshots"))).toEqual([]);
  });

  test("is one service's at a time, and free again after a crash", async () => {
    const dataFolder = join(folder(), "data");
    const first = await start({ dataFolder });
    expect(await start({ dataFolder }).catch((error: unknown) => error)).toMatchObject({
      code: "local_option_invalid",
      message: expect.stringContaining("another service"),
    });
    await kill(first);
    const second = await start({ dataFolder });
    expect(second.baseUrl).toBeTruthy();
  });

  test("starts without a record that is damaged, and says so", async () => {
    const dataFolder = join(folder(), "data");
    await close(await start({ dataFolder, templates: { good: template } }));
    const records = join(dataFolder, "templates");
    writeFileSync(join(records, "bad.json"), '{"revision": 1, "spe');
    writeFileSync(join(records, "cut.part"), "half");
    const { uid, gid } = statSync(records);
    for (const name of ["bad.json", "cut.part"]) chownSync(join(records, name), uid, gid);
    const service = await start({ dataFolder });
    expect(
      (await service.client.createSandboxFromTemplate({ templateId: "good" })).sandboxId,
    ).toBeTruthy();
    expect(await service.notices()).toContainEqual(
      expect.objectContaining({ code: "record_unreadable" }),
    );
    expect(readdirSync(records).toSorted()).toEqual(["bad.json.damaged", "good.json"]);
  });

  test("starts whatever a write that was cut has left of a record", async () => {
    const dataFolder = join(folder(), "data");
    const first = await start({ dataFolder, templates: { good: template } });
    const sandboxId = await createRunning(
      first.client,
      specOf(
        { volumeMounts: [{ volume: "work", mountPath: "/work" }] },
        { volumes: [{ name: "work", source: { case: "scratch", value: {} } }] },
      ),
    );
    const { fileSystemSnapshotId } = await first.client.createFileSystemSnapshot({ sandboxId });
    await eventually(async () => {
      const { state } = await first.client.getFileSystemSnapshot({ fileSystemSnapshotId });
      return state === SnapshotState.READY;
    });
    await kill(first);
    for (const [kind, name] of [
      ["templates", "good"],
      ["snapshots", fileSystemSnapshotId],
    ] as const) {
      const records = join(dataFolder, kind);
      const whole = readFileSync(join(records, `${name}.json`));
      const { uid, gid } = statSync(records);
      const cuts = [0, 1, 2, whole.length >> 1, whole.length - 1];
      for (const cut of cuts) {
        const path = join(records, `cut-${cut}.json`);
        writeFileSync(path, whole.subarray(0, cut));
        chownSync(path, uid, gid);
      }
      for (const odd of ["null", "[]", "{}", '"text"', '{"view": 1}', "\0\0\0\0"]) {
        const path = join(records, `odd-${odd.length}.json`);
        writeFileSync(path, odd);
        chownSync(path, uid, gid);
      }
      mkdirSync(join(records, "folder.json"));
      chownSync(join(records, "folder.json"), uid, gid);
    }
    const second = await start({ dataFolder });
    const told = (await second.notices()).filter(({ code }) => code === "record_unreadable");
    expect(told.length).toBeGreaterThan(15);
    expect(
      (await second.client.createSandboxFromTemplate({ templateId: "good" })).sandboxId,
    ).toBeTruthy();
    expect(await second.client.getFileSystemSnapshot({ fileSystemSnapshotId })).toMatchObject({
      state: SnapshotState.READY,
    });
  });

  test("is refused when others can look into it", async () => {
    const dataFolder = join(folder(), "data");
    mkdirSync(dataFolder);
    chmodSync(dataFolder, 0o755);
    expect(await start({ dataFolder }).catch((error: unknown) => error)).toMatchObject({
      code: "local_option_invalid",
      message: expect.stringContaining("chmod 700"),
    });
  });
});

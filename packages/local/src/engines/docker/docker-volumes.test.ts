import { Code } from "@connectrpc/connect";
import { SnapshotState, StorageMedium } from "@tidybox/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createRunning,
  eventually,
  refusalOf,
  sh,
  specOf,
  type SpecInit,
  startTestService,
  type TestService,
} from "../../testing/test-service.ts";
import { testDockerHost } from "../../testing/tested-engines.ts";

describe.runIf(testDockerHost !== undefined)("volumes of sandboxes in Docker", () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startTestService({ engine: "docker" });
  });
  afterAll(() => service.close());

  async function snapshotOf(sandboxId: string): Promise<string> {
    const begun = await service.client.createFileSystemSnapshot({ sandboxId });
    const { fileSystemSnapshotId } = begun;
    await eventually(async () => {
      const { state, stateReason } = await service.client.getFileSystemSnapshot({
        fileSystemSnapshotId,
      });
      if (state === SnapshotState.FAILED) throw new Error(stateReason);
      return state === SnapshotState.READY;
    });
    return fileSystemSnapshotId;
  }

  test.each([
    ["on disk", StorageMedium.DISK],
    ["in memory", StorageMedium.MEMORY],
  ])("takes and restores snapshots of volumes %s", async (_, medium) => {
    const size = "16Mi";
    const mount = { volumeMounts: [{ volume: "data", mountPath: "/data" }] };
    const volumes = (snapshotId: string): SpecInit => ({
      volumes: [
        {
          name: "data",
          source: {
            case: "scratch",
            value: {
              medium,
              size,
              restoreFromSnapshotId: snapshotId,
            },
          },
        },
      ],
    });
    const first = await createRunning(service.client, specOf(mount, volumes("")));
    await sh(service.client, first, "mkdir /data/a; echo kept >/data/a/b; chmod 751 /data/a");
    const fileSystemSnapshotId = await snapshotOf(first);
    const second = await createRunning(
      service.client,
      specOf(mount, volumes(fileSystemSnapshotId)),
    );
    expect((await sh(service.client, second, "cat /data/a/b; stat -c %a /data/a")).stdout).toBe(
      "kept\n751\n",
    );
  });

  test("refuses to mount a part of a volume", async () => {
    const spec = specOf(
      { volumeMounts: [{ volume: "data", mountPath: "/data", subPath: "part" }] },
      { volumes: [{ name: "data", source: { case: "scratch", value: {} } }] },
    );
    expect(
      await refusalOf(service.client.createSandbox({ sandbox: { spec: spec as object } })),
    ).toMatchObject({
      code: Code.FailedPrecondition,
      message: expect.stringContaining("sub_path"),
    });
  });

  test("takes and restores a volume that only other containers mount, or all of them read-only", async () => {
    const volumesFrom = (restoreFromSnapshotId: string): SpecInit["volumes"] => [
      { name: "data", source: { case: "scratch", value: { restoreFromSnapshotId } } },
    ];
    const image = "python:3.11";
    const podOf = (readOnly: boolean, snapshotId: string): SpecInit => ({
      containers: [
        { name: "main", image },
        {
          ...{ name: "side", image, command: "/bin/sh", args: ["-c", "sleep 600"] },
          volumeMounts: [{ volume: "data", mountPath: "/data", readOnly }],
        },
      ],
      primaryContainer: "main",
      volumes: volumesFrom(snapshotId) ?? [],
    });
    const inSide = async (sandboxId: string, script: string): Promise<string> => {
      const command = ["/bin/sh", "-c", script];
      const { stdout } = await service.client.exec({ sandboxId, container: "side", command });
      return Buffer.from(stdout).toString();
    };
    const first = await createRunning(service.client, podOf(false, ""));
    await inSide(first, "echo kept >/data/file");
    const snapshotId = await snapshotOf(first);
    const second = await createRunning(service.client, podOf(true, snapshotId));
    expect(await inSide(second, "cat /data/file; echo no >/data/file || echo closed")).toBe(
      "kept\nclosed\n",
    );
  });
});

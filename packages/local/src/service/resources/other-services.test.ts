import { Code, createClient } from "@connectrpc/connect";
import {
  DiscoveryService,
  ErrorReason,
  FileSystemSnapshotBucketMode,
  RunnerView,
  SettingsService,
  UNDESCRIBED_RPCS,
  Visibility,
} from "@tidybox/protocol";
import { describe, expect, test } from "vitest";
import { startedServices, transportOf } from "../../testing/started-services.ts";
import { createRunning, refusalOf } from "../../testing/test-service.ts";
import { undescribedDescriptors } from "./undescribed-services.ts";

const { start } = startedServices();

describe("discovery", () => {
  test("answers with one runner, this machine, under the id that sandboxes report", async () => {
    const service = await start();
    const discovery = createClient(DiscoveryService, transportOf(service));
    const { runners, nextPageToken } = await discovery.listAvailableRunners({ pageSize: 100 });
    expect(nextPageToken).toBe("");
    expect(runners).toHaveLength(1);
    const [runner] = runners;
    expect(runner?.healthy).toBe(true);
    expect(runner?.resources).toBeUndefined();
    expect(runner?.capabilities?.maxMemoryBytes).toBeGreaterThan(0n);
    const sandboxId = await createRunning(service.client);
    const { status } = await service.client.getSandbox({ sandboxId });
    expect(status?.runnerId).toBe(runner?.runnerId);
    const full = await discovery.getAvailableRunner({ runnerId: status?.runnerId ?? "" });
    expect(full.resources?.runningSandboxes).toBe(1);
    const basic = await discovery.getAvailableRunner({
      runnerId: status?.runnerId ?? "",
      view: RunnerView.BASIC,
    });
    expect(basic.resources).toBeUndefined();
    const inFull = await discovery.listAvailableRunners({ view: RunnerView.FULL });
    expect(inFull.runners[0]?.resources).toBeDefined();
  });

  test("names the visibilities that ports can have, where there are any", async () => {
    for (const engine of ["bubblewrap", "process"] as const) {
      const discovery = createClient(DiscoveryService, transportOf(await start({ engine })));
      const known =
        engine === "process" ? [] : [Visibility.PUBLIC, Visibility.PRIVATE, Visibility.CUSTOM];
      const { runners } = await discovery.listAvailableRunners({});
      expect(runners[0]?.capabilities?.supportedServiceVisibilities).toEqual(known);
      const filter = { serviceVisibility: Visibility.PRIVATE };
      const found = (await discovery.listAvailableRunners(filter)).runners;
      expect(found).toHaveLength(known.includes(Visibility.PRIVATE) ? 1 : 0);
    }
  });

  test("filters runners, and knows no other", async () => {
    const discovery = createClient(DiscoveryService, transportOf(await start()));
    for (const filter of [
      { gpuType: "H100" },
      { architecture: "riscv" },
      { runnerGroupId: "group" },
    ]) {
      expect((await discovery.listAvailableRunners(filter)).runners).toEqual([]);
    }
    const { runners } = await discovery.listAvailableRunners({ healthyOnly: true });
    const [architecture] = runners[0]?.capabilities?.supportedArchitectures ?? [];
    expect(
      (await discovery.listAvailableRunners({ architecture: architecture ?? "" })).runners,
    ).toHaveLength(1);
    expect(await refusalOf(discovery.getAvailableRunner({ runnerId: "other" }))).toMatchObject({
      code: Code.NotFound,
      reason: ErrorReason.RUNNER_NOT_FOUND,
    });
    expect(await refusalOf(discovery.listAvailableRunners({ pageToken: "!" }))).toMatchObject({
      code: Code.InvalidArgument,
    });
  });
});

test("keeps snapshots in the managed bucket, and refuses another one", async () => {
  const settings = createClient(SettingsService, transportOf(await start()));
  const managed = {
    bucketName: "",
    mode: FileSystemSnapshotBucketMode.CW_MANAGED,
    effectiveBucketName: "local",
  };
  expect(await settings.getFileSystemSnapshotBucketConfig({})).toMatchObject(managed);
  expect(
    await settings.updateFileSystemSnapshotBucketConfig({
      fileSystemSnapshotBucketConfig: { bucketName: "" },
      updateMask: { paths: ["bucket_name"] },
    }),
  ).toMatchObject(managed);
  const own = settings.updateFileSystemSnapshotBucketConfig({
    fileSystemSnapshotBucketConfig: { bucketName: "mine" },
  });
  expect(await refusalOf(own)).toMatchObject({ code: Code.FailedPrecondition });
});

test("refuses in words what nobody knows the messages of", async () => {
  const service = await start();
  const transport = transportOf(service);
  let asked = 0;
  for (const { methods } of undescribedDescriptors()) {
    for (const method of methods) {
      const unary = { ...method, methodKind: "unary" as const };
      const call = transport.unary(unary, undefined, 5000, undefined, {});
      expect(await refusalOf(call)).toMatchObject({
        code: Code.Unimplemented,
        reason: ErrorReason.NOT_IMPLEMENTED,
        message: expect.stringContaining(`${method.parent.name}.${method.name}`),
      });
      asked += 1;
    }
  }
  expect(asked).toBe(Object.values(UNDESCRIBED_RPCS).flat().length);
});

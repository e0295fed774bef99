import { Code, createClient } from "@connectrpc/connect";
import {
  ErrorReason,
  FileSystemSnapshotBucketMode,
  RunnerView,
  UNDESCRIBED_RPCS,
  Visibility,
} from "@tidybox/protocol";
import { expect } from "vitest";
import { undescribedDescriptors } from "../../../packages/local/src/service/resources/undescribed-services.ts";
import { refusalOf } from "../../../packages/local/src/testing/test-service.ts";
import type { Bed } from "../beds.ts";
import { section } from "../contract.ts";
import { expectReason, expectRefused } from "../refusals.ts";
import { running } from "../sandboxes.ts";

const INVALID = { code: Code.InvalidArgument, reason: ErrorReason.INVALID_ARGUMENT };
const MANAGED = {
  bucketName: "",
  region: "",
  mode: FileSystemSnapshotBucketMode.CW_MANAGED,
};

async function theRunner({ discovery }: Bed, view: RunnerView = RunnerView.UNSPECIFIED) {
  const { runners } = await discovery.listAvailableRunners({ pageSize: 100, view });
  const [runner] = runners;
  if (runner === undefined || runners.length !== 1) throw new Error("there is one runner");
  return runner;
}

export const discoveryAndSettings = section("A", (says) => {
  says(
    "the runner of a sandbox is found by discovery, healthy and with what it can do",
    async (context) => {
      const { runnerId, healthy, capabilities, connectedAt } = await theRunner(context.bed);
      expect(healthy).toBe(true);
      expect(connectedAt).toBeDefined();
      expect(capabilities?.maxCpuMillicores).toBeGreaterThan(0n);
      expect(capabilities?.maxMemoryBytes).toBeGreaterThan(0n);
      expect(capabilities?.maxGpuCount).toBe(0n);
      expect(capabilities?.supportedArchitectures).toHaveLength(1);
      expect(capabilities?.supportsPrivileged).toBe(false);
      const sandboxId = await running(context);
      const { status } = await context.bed.sandboxes.getSandbox({ sandboxId });
      expect(status?.runnerId).toBe(runnerId);
    },
  );

  says(
    "an unset view is BASIC in a list, without resources, and FULL has them",
    async ({ bed }) => {
      expect((await theRunner(bed)).resources).toBeUndefined();
      expect((await theRunner(bed, RunnerView.BASIC)).resources).toBeUndefined();
      expect((await theRunner(bed, RunnerView.FULL)).resources).toBeDefined();
    },
  );

  says("an unset view is FULL for a single runner, and BASIC has no resources", async ({ bed }) => {
    const { runnerId } = await theRunner(bed);
    const { discovery } = bed;
    const full = await discovery.getAvailableRunner({ runnerId });
    expect(full.runnerId).toBe(runnerId);
    expect(full.resources?.availableMemoryBytes).toBeGreaterThan(0n);
    const basic = await discovery.getAvailableRunner({ runnerId, view: RunnerView.BASIC });
    expect(basic.resources).toBeUndefined();
  });

  says("resources count the sandboxes that are active", async (context) => {
    const { discovery, sandboxes } = context.bed;
    const { runnerId } = await theRunner(context.bed);
    const count = async () =>
      (await discovery.getAvailableRunner({ runnerId })).resources?.runningSandboxes;
    // Every case before has ended its own.
    expect(await count()).toBe(0);
    const sandboxId = await running(context);
    expect(await count()).toBe(1);
    await sandboxes.deleteSandbox({ sandboxId });
    while ((await count()) !== 0);
  });

  says("an unknown runner is NOT_FOUND", async ({ bed }) => {
    await expectReason(
      bed.discovery.getAvailableRunner({ runnerId: "unknown" }),
      Code.NotFound,
      ErrorReason.RUNNER_NOT_FOUND,
    );
  });

  says("filters leave out what they do not fit", async ({ bed }) => {
    const { capabilities } = await theRunner(bed);
    const { discovery } = bed;
    for (const filter of [{ gpuType: "H100" }, { architecture: "s390x" }, { runnerGroupId: "g" }])
      expect((await discovery.listAvailableRunners(filter)).runners).toEqual([]);
    const [architecture = ""] = capabilities?.supportedArchitectures ?? [];
    for (const filter of [{ architecture }, { healthyOnly: true }])
      expect((await discovery.listAvailableRunners(filter)).runners).toHaveLength(1);
  });

  says(
    "a runner is found by the visibilities that its ports can have, and by no other",
    async ({ bed }) => {
      const { capabilities } = await theRunner(bed);
      const supported = capabilities?.supportedServiceVisibilities ?? [];
      expect(supported).toHaveLength(bed.name === "process" ? 0 : 3);
      for (const serviceVisibility of [Visibility.PUBLIC, Visibility.PRIVATE, Visibility.CUSTOM]) {
        const { runners } = await bed.discovery.listAvailableRunners({ serviceVisibility });
        expect(runners).toHaveLength(supported.includes(serviceVisibility) ? 1 : 0);
      }
    },
  );

  says("the list ends with its first page, and a foreign token is invalid", async ({ bed }) => {
    const { nextPageToken } = await bed.discovery.listAvailableRunners({ pageSize: 1 });
    expect(nextPageToken).toBe("");
    await expectRefused(bed.discovery.listAvailableRunners({ pageToken: "!" }), {
      ...INVALID,
      field: "page_token",
    });
    await expectRefused(bed.discovery.listAvailableRunners({ pageSize: -1 }), {
      ...INVALID,
      field: "page_size",
    });
  });

  says("snapshots are kept in the managed bucket, under an effective name", async ({ bed }) => {
    const config = await bed.settings.getFileSystemSnapshotBucketConfig({});
    expect(config).toMatchObject(MANAGED);
    expect(config.effectiveBucketName).not.toBe("");
  });

  says(
    "an empty name of a bucket returns to the managed one, with a mask or without",
    async ({ bed }) => {
      const { settings } = bed;
      const before = await settings.getFileSystemSnapshotBucketConfig({});
      for (const paths of [undefined, ["bucket_name"]]) {
        const updated = await settings.updateFileSystemSnapshotBucketConfig({
          fileSystemSnapshotBucketConfig: { bucketName: "" },
          ...(paths && { updateMask: { paths } }),
        });
        expect(updated).toEqual(before);
      }
    },
  );

  says(
    "(our choice) a bucket of one's own is refused: there is none to write to",
    async ({ bed }) => {
      const wishes = [
        { bucketName: "mine" },
        { mode: FileSystemSnapshotBucketMode.BRING_YOUR_OWN },
      ];
      for (const fileSystemSnapshotBucketConfig of wishes)
        await expectRefused(
          bed.settings.updateFileSystemSnapshotBucketConfig({ fileSystemSnapshotBucketConfig }),
          {
            ...{ code: Code.FailedPrecondition, reason: ErrorReason.NOT_IMPLEMENTED },
            field: "file_system_snapshot_bucket_config.bucket_name",
          },
        );
      expect(await bed.settings.getFileSystemSnapshotBucketConfig({})).toMatchObject(MANAGED);
    },
  );

  says(
    "a mask is looked at: what it does not cover changes nothing, and unknown fields are invalid",
    async ({ bed }) => {
      const { settings } = bed;
      const outside = await settings.updateFileSystemSnapshotBucketConfig({
        fileSystemSnapshotBucketConfig: { bucketName: "mine" },
        updateMask: { paths: ["region"] },
      });
      expect(outside).toMatchObject(MANAGED);
      const unknown = settings.updateFileSystemSnapshotBucketConfig({
        fileSystemSnapshotBucketConfig: {},
        updateMask: { paths: ["colour"] },
      });
      await expectRefused(unknown, { ...INVALID, field: "update_mask" });
    },
  );

  for (const service of Object.keys(UNDESCRIBED_RPCS)) {
    says(
      `(our choice) RPCs of ${service} that nobody has described are UNIMPLEMENTED, and say what takes their place`,
      async ({ bed }) => {
        const descriptor = undescribedDescriptors().find(({ name }) => name === service);
        if (descriptor === undefined) throw new Error(`there is no ${service}`);
        const client = createClient(descriptor, bed.transport) as Record<
          string,
          (request: object) => Promise<unknown>
        >;
        for (const { localName, name } of descriptor.methods) {
          const refusal = await refusalOf(client[localName]?.({}) ?? Promise.resolve());
          expect(refusal).toMatchObject({
            code: Code.Unimplemented,
            reason: ErrorReason.NOT_IMPLEMENTED,
            message: expect.stringMatching(new RegExp(`${service}\\.${name}.*tidybox serve --`)),
          });
        }
      },
    );
  }
});

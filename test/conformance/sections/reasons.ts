import { Code } from "@connectrpc/connect";
import { RetryInfoSchema, ObjectStoragePermission, SandboxMode } from "@tidybox/protocol";
import { expect } from "vitest";
import { Requests } from "../../../packages/local/src/testing/requests.ts";
import { refusalOf, sh, type SpecInit } from "../../../packages/local/src/testing/test-service.ts";
import { type Exception, section } from "../contract.ts";
import { drained } from "../drained.ts";
import { ownService, SMALL, smallService } from "../own-service.ts";
import { running, started } from "../sandboxes.ts";

const MEBIBYTE = 1024 * 1024;

const scratch: SpecInit = { volumes: [{ name: "v", source: { case: "scratch", value: {} } }] };

const noSnapshots: Exception = {
  cannot: "have snapshots",
  instead: async (context) => {
    const sandboxId = await running(context, {}, scratch);
    expect(
      await refusalOf(context.bed.sandboxes.createFileSystemSnapshot({ sandboxId })),
    ).toMatchObject({
      code: Code.FailedPrecondition,
      reason: "CWSANDBOX_FSS_NOT_SUPPORTED",
    });
  },
};

export const reasons = section("5.3", (says) => {
  says(
    "CWSANDBOX_SANDBOX_NOT_FOUND is NOT_FOUND, from commands, streams, logs and files too",
    async ({ bed }) => {
      const { sandboxes } = bed;
      const sandboxId = "sb-none";
      const exec = async () => {
        const requests = new Requests();
        requests.send({ case: "init", value: { sandboxId, command: ["true"] } });
        requests.end();
        await drained(sandboxes.streamExec(requests));
      };
      const calls = [
        () => sandboxes.getSandbox({ sandboxId }),
        () => sandboxes.deleteSandbox({ sandboxId }),
        () => sandboxes.exec({ sandboxId, command: ["true"] }),
        () => sandboxes.readFile({ sandboxId, path: "x" }),
        () => sandboxes.writeFile({ sandboxId, path: "x" }),
        () => sandboxes.createFileSystemSnapshot({ sandboxId }),
        () => drained(sandboxes.streamLogs({ sandboxId })),
        exec,
      ];
      for (const call of calls) {
        expect(await refusalOf(call())).toMatchObject({
          code: Code.NotFound,
          reason: "CWSANDBOX_SANDBOX_NOT_FOUND",
        });
      }
    },
  );

  says(
    "CWSANDBOX_SANDBOX_NOT_RUNNING (our code: FAILED_PRECONDITION): it ends, or has ended",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context);
      await sandboxes.purgeSandboxes({ tags: [context.tag] });
      const calls = [
        () => sandboxes.exec({ sandboxId, command: ["true"] }),
        () => sandboxes.readFile({ sandboxId, path: "x" }),
        () => sandboxes.writeFile({ sandboxId, path: "x" }),
        () => drained(sandboxes.streamLogs({ sandboxId })),
      ];
      for (const call of calls) {
        expect(await refusalOf(call())).toMatchObject({
          code: Code.FailedPrecondition,
          reason: "CWSANDBOX_SANDBOX_NOT_RUNNING",
          message: expect.stringContaining(sandboxId),
        });
      }
    },
  );

  says(
    "CWSANDBOX_FILE_NOT_FOUND and CWSANDBOX_FILE_IS_DIRECTORY name the file",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context);
      await sh(sandboxes, sandboxId, "mkdir folder");
      const read = (path: string) => refusalOf(sandboxes.readFile({ sandboxId, path }));
      expect(await read("none")).toMatchObject({
        code: Code.NotFound,
        reason: "CWSANDBOX_FILE_NOT_FOUND",
        metadata: { filepath: "none" },
      });
      expect(await read("folder")).toMatchObject({
        code: Code.FailedPrecondition,
        reason: "CWSANDBOX_FILE_IS_DIRECTORY",
        metadata: { filepath: "folder" },
      });
    },
  );

  says("CWSANDBOX_FILE_TOO_LARGE is FAILED_PRECONDITION with all four facts", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await running(context);
    const size = 33 * MEBIBYTE;
    const refused = await refusalOf(
      sandboxes.writeFile({ sandboxId, path: "x", content: new Uint8Array(size) }),
    );
    expect(refused).toMatchObject({
      code: Code.FailedPrecondition,
      reason: "CWSANDBOX_FILE_TOO_LARGE",
      metadata: {
        filepath: "x",
        size_bytes: String(size),
        max_size_bytes: String(32 * MEBIBYTE),
      },
    });
    expect(refused.metadata["operation"]).not.toBe("");
  });

  says(
    "CWSANDBOX_RUNNER_CAPACITY_EXHAUSTED is RESOURCE_EXHAUSTED, with when to come back",
    async (context) => {
      await using own = await smallService(context);
      for (let count = 0; count < SMALL; count += 1) await started(own);
      const refused = await refusalOf(started(own));
      expect(refused).toMatchObject({
        code: Code.ResourceExhausted,
        reason: "CWSANDBOX_RUNNER_CAPACITY_EXHAUSTED",
        message: expect.stringContaining(String(SMALL)),
      });
      expect(refused.error.findDetails(RetryInfoSchema)).toHaveLength(1);
    },
  );

  says(
    "CWSANDBOX_RUNNER_OVERLOADED is RESOURCE_EXHAUSTED, BACKEND_UNAVAILABLE is UNAVAILABLE",
    async (context) => {
      await using own = await ownService(context, {
        faults: { createRate: "1/min", fail: { delete: "1x" }, latency: { start: "60m" } },
      });
      await started(own);
      const refused = await refusalOf(started(own));
      expect(refused).toMatchObject({
        code: Code.ResourceExhausted,
        reason: "CWSANDBOX_RUNNER_OVERLOADED",
      });
      expect(refused.error.findDetails(RetryInfoSchema)).toHaveLength(1);
      const remove = () => own.bed.sandboxes.deleteSandbox({ sandboxId: "x", allowMissing: true });
      expect(await refusalOf(remove())).toMatchObject({
        code: Code.Unavailable,
        reason: "CWSANDBOX_BACKEND_UNAVAILABLE",
      });
      await remove();
    },
  );

  says("CWSANDBOX_INVALID_REQUEST is FAILED_PRECONDITION", async ({ bed }) => {
    const request = { sandboxId: "sb-none", allowMissing: true, snapshotVolumes: ["v"] };
    expect(await refusalOf(bed.sandboxes.deleteSandbox(request))).toMatchObject({
      code: Code.FailedPrecondition,
      reason: "CWSANDBOX_INVALID_REQUEST",
    });
  });

  says("CWSANDBOX_INVALID_ARGUMENT is INVALID_ARGUMENT", async ({ bed }) => {
    expect(await refusalOf(bed.sandboxes.createSandbox({}))).toMatchObject({
      code: Code.InvalidArgument,
      reason: "CWSANDBOX_INVALID_ARGUMENT",
    });
  });

  says(
    "CWSANDBOX_NOT_IMPLEMENTED (our code: UNIMPLEMENTED) says what is not to be had",
    async (context) => {
      const cannot: readonly (readonly [SpecInit, string])[] = [
        [{ networkIds: ["n"] }, "network_ids"],
        [
          { objectStorageAccess: { buckets: ["b"], permission: ObjectStoragePermission.READ } },
          "object storage",
        ],
        [{ runtimeClass: "r" }, "runtime classes"],
      ];
      for (const [spec, words] of cannot) {
        expect(await refusalOf(started(context, {}, spec))).toMatchObject({
          code: Code.Unimplemented,
          reason: "CWSANDBOX_NOT_IMPLEMENTED",
          message: expect.stringContaining(words),
        });
      }
    },
  );

  says(
    "CWSANDBOX_NO_SUITABLE_RUNNER is FAILED_PRECONDITION: no machine here has what the spec asks for",
    async (context) => {
      const gpu = { resourceRequirements: { requests: { gpu: { count: 1n } } } };
      const wishes = [
        started(context, gpu),
        started(context, {}, { mode: SandboxMode.CKS }),
        started(context, {}, { instanceType: "huge" }),
      ];
      for (const wish of wishes)
        expect(await refusalOf(wish)).toMatchObject({
          code: Code.FailedPrecondition,
          reason: "CWSANDBOX_NO_SUITABLE_RUNNER",
        });
    },
  );

  says("CWSANDBOX_RESOURCE_CEILING_EXCEEDED is INVALID_ARGUMENT", async (context) => {
    for (const limits of [{ cpu: "100000" }, { memory: "1000000Gi" }]) {
      const container = { resourceRequirements: { requests: limits, limits } };
      expect(await refusalOf(started(context, container))).toMatchObject({
        code: Code.InvalidArgument,
        reason: "CWSANDBOX_RESOURCE_CEILING_EXCEEDED",
      });
    }
  });

  says("CWSANDBOX_SECRET_STORE_NOT_PROVISIONED is FAILED_PRECONDITION", async (context) => {
    const secrets = [{ path: "p", envVar: "V" }];
    const container = { secretStores: [{ storeName: "none", secrets }] };
    expect(await refusalOf(started(context, container))).toMatchObject({
      code: Code.FailedPrecondition,
      reason: "CWSANDBOX_SECRET_STORE_NOT_PROVISIONED",
    });
  });

  says("CWSANDBOX_RUNNER_NOT_FOUND is NOT_FOUND", async ({ bed }) => {
    expect(await refusalOf(bed.discovery.getAvailableRunner({ runnerId: "none" }))).toMatchObject({
      code: Code.NotFound,
      reason: "CWSANDBOX_RUNNER_NOT_FOUND",
    });
  });

  says("CWSANDBOX_FSS_NOT_FOUND is NOT_FOUND", async ({ bed }) => {
    const snapshot = { fileSystemSnapshotId: "fss-none" };
    for (const call of [
      () => bed.sandboxes.getFileSystemSnapshot(snapshot),
      () => bed.sandboxes.deleteFileSystemSnapshot(snapshot),
    ]) {
      expect(await refusalOf(call())).toMatchObject({
        code: Code.NotFound,
        reason: "CWSANDBOX_FSS_NOT_FOUND",
      });
    }
  });

  says(
    "CWSANDBOX_FSS_INFLIGHT_LIMIT is UNAVAILABLE, with when to come back",
    async (context) => {
      const { sandboxes } = context.bed;
      const mounts = { volumeMounts: [{ volume: "v", mountPath: "/v" }] };
      const sandboxId = await running(context, mounts, scratch);
      // All of one call are begun at once, or none.
      const snapshotVolumes = Array.from({ length: 65 }, () => "v");
      const refused = await refusalOf(sandboxes.deleteSandbox({ sandboxId, snapshotVolumes }));
      expect(refused).toMatchObject({
        code: Code.Unavailable,
        reason: "CWSANDBOX_FSS_INFLIGHT_LIMIT",
      });
      expect(refused.error.findDetails(RetryInfoSchema)).toHaveLength(1);
      expect((await sh(sandboxes, sandboxId, "echo alive")).stdout).toBe("alive\n");
    },
    { unless: { process: noSnapshots } },
  );
});

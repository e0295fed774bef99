import { randomUUID } from "node:crypto";
import { Code } from "@connectrpc/connect";
import { ErrorReason, isTerminal, SnapshotState, SnapshotTrigger } from "@tidybox/protocol";
import { expect } from "vitest";
import {
  eventually,
  refusalOf,
  sh,
  type ServiceClient,
  specOf,
  type SpecInit,
  untilEnded,
} from "../../../packages/local/src/testing/test-service.ts";
import {
  type CaseBody,
  type CaseContext,
  type Exception,
  section,
  type Says,
} from "../contract.ts";
import { idleService } from "../own-service.ts";
import { running, started } from "../sandboxes.ts";
import { stateOf } from "../watched-states.ts";

type DeleteRequest = Parameters<ServiceClient["deleteSandbox"]>[0];

const NAMES = ["one", "two"];

/** Two scratch volumes, mounted. */
const container = { volumeMounts: NAMES.map((volume) => ({ volume, mountPath: `/${volume}` })) };
const rest: SpecInit = {
  volumes: NAMES.map((name) => ({ name, source: { case: "scratch", value: {} } })),
};

async function withVolumes(context: CaseContext): Promise<string> {
  const sandboxId = await running(context, container, rest);
  await sh(context.bed.sandboxes, sandboxId, "echo 1 > /one/file; echo 2 > /two/file");
  return sandboxId;
}

async function finished({ bed }: CaseContext, fileSystemSnapshotId: string) {
  for (;;) {
    const snapshot = await bed.sandboxes.getFileSystemSnapshot({ fileSystemSnapshotId });
    if (snapshot.state !== SnapshotState.CREATING) return snapshot;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const noVolumes: Exception = {
  cannot: "have volumes, nor snapshots of them",
  instead: async (context) => {
    const { sandboxes } = context.bed;
    // It may declare volumes, as both SDKs do, and mount none.
    const sandboxId = await running(context, {}, rest);
    expect(
      await refusalOf(sandboxes.deleteSandbox({ sandboxId, snapshotVolumes: ["one"] })),
    ).toMatchObject({
      code: Code.FailedPrecondition,
      reason: ErrorReason.FSS_NOT_SUPPORTED,
      message: expect.stringContaining("process"),
    });
    expect(await refusalOf(started(context, container, rest))).toMatchObject({
      code: Code.FailedPrecondition,
      reason: ErrorReason.NO_SUITABLE_RUNNER,
    });
  },
};

export const deletingWithSnapshots = section("3.4", (says) => {
  const saysOfVolumes = (text: string, body: CaseBody): ReturnType<Says> =>
    says(text, body, { unless: { process: noVolumes } });

  saysOfVolumes("snapshot_volumes: one id for each entry, in their order", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await withVolumes(context);
    const snapshotVolumes = ["two", "one", "two"];
    const answer = await sandboxes.deleteSandbox({ sandboxId, snapshotVolumes });
    expect(answer.sandbox?.sandboxId).toBe(sandboxId);
    expect(new Set(answer.fileSystemSnapshotIds).size).toBe(3);
    const snapshots = [];
    for (const id of answer.fileSystemSnapshotIds) snapshots.push(await finished(context, id));
    expect(snapshots.map(({ sourceVolumeName }) => sourceVolumeName)).toEqual(snapshotVolumes);
    for (const snapshot of snapshots) {
      expect(snapshot).toMatchObject({
        state: SnapshotState.READY,
        trigger: SnapshotTrigger.ON_DELETE,
        sourceSandboxId: sandboxId,
      });
    }
  });

  saysOfVolumes("snapshots are taken while it stops: the answer does not wait", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await withVolumes(context);
    const { fileSystemSnapshotIds, sandbox } = await sandboxes.deleteSandbox({
      sandboxId,
      snapshotVolumes: ["one"],
      gracePeriodSeconds: 1,
    });
    const [id = ""] = fileSystemSnapshotIds;
    const known = [SnapshotState.CREATING, SnapshotState.READY];
    expect(known).toContain(
      (await sandboxes.getFileSystemSnapshot({ fileSystemSnapshotId: id })).state,
    );
    expect(sandbox).toBeDefined();
    await untilEnded(sandboxes, sandboxId);
    expect((await finished(context, id)).state).toBe(SnapshotState.READY);
  });

  saysOfVolumes("the sandbox ends whatever becomes of its snapshots", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await withVolumes(context);
    const first = await sandboxes.deleteSandbox({
      sandboxId,
      snapshotVolumes: ["one", "two"],
      gracePeriodSeconds: 60,
    });
    // The next one kills it under them.
    await sandboxes.deleteSandbox({ sandboxId });
    expect(isTerminal(stateOf(await untilEnded(sandboxes, sandboxId)))).toBe(true);
    for (const id of first.fileSystemSnapshotIds) {
      const { state, stateReason } = await finished(context, id);
      if (state !== SnapshotState.READY) expect(stateReason).not.toBe("");
    }
  });

  saysOfVolumes("an unknown volume is INVALID_ARGUMENT, and stops nothing", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await withVolumes(context);
    const snapshotVolumes = ["one", "none"];
    expect(await refusalOf(sandboxes.deleteSandbox({ sandboxId, snapshotVolumes }))).toMatchObject({
      code: Code.InvalidArgument,
      message: expect.stringContaining("none"),
    });
    expect((await sh(sandboxes, sandboxId, "cat /one/file")).stdout).toBe("1\n");
  });

  const noRegisteredVolumes: Exception = {
    cannot: "have registered volumes, of which nobody can then ask for a snapshot",
    instead: async (context) => {
      await using own = await idleService(context);
      const volumes = [{ name: "live", source: { case: "volumeId", value: "one" } }] as const;
      expect(await refusalOf(started(own, {}, { volumes: [...volumes] }))).toMatchObject({
        code: Code.Unimplemented,
        reason: ErrorReason.NOT_IMPLEMENTED,
      });
    },
  };
  says(
    "a registered volume is refused with CWSANDBOX_VOLUME_NOT_SNAPSHOTTABLE",
    async (context) => {
      await using own = await idleService(context);
      const live = [{ name: "live", source: { case: "volumeId", value: "one" } }] as const;
      const { sandboxId } = await started(own, {}, { volumes: [...live] });
      expect(
        await refusalOf(own.bed.sandboxes.deleteSandbox({ sandboxId, snapshotVolumes: ["live"] })),
      ).toMatchObject({
        code: Code.FailedPrecondition,
        reason: ErrorReason.VOLUME_NOT_SNAPSHOTTABLE,
      });
    },
    { unless: { process: noRegisteredVolumes, docker: noRegisteredVolumes } },
  );

  saysOfVolumes(
    "an exact replay of a request_id answers the first ids, ended or not",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await withVolumes(context);
      const request: DeleteRequest = {
        sandboxId,
        snapshotVolumes: ["one", "two"],
        requestId: randomUUID(),
      };
      const first = await sandboxes.deleteSandbox(request);
      const [again, atOnce] = await Promise.all([
        sandboxes.deleteSandbox(request),
        sandboxes.deleteSandbox(request),
      ]);
      await untilEnded(sandboxes, sandboxId);
      for (const fileSystemSnapshotId of first.fileSystemSnapshotIds) {
        await finished(context, fileSystemSnapshotId);
        await sandboxes.deleteFileSystemSnapshot({ fileSystemSnapshotId });
      }
      const late = await sandboxes.deleteSandbox(request);
      for (const answer of [again, atOnce, late])
        expect(answer.fileSystemSnapshotIds).toEqual(first.fileSystemSnapshotIds);
    },
  );

  saysOfVolumes(
    "the same request_id with another order, grace or sandbox is refused",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await withVolumes(context);
      const request = { sandboxId, snapshotVolumes: ["one", "two"], requestId: randomUUID() };
      await sandboxes.deleteSandbox(request);
      const others: readonly DeleteRequest[] = [
        { ...request, snapshotVolumes: ["two", "one"] },
        { ...request, gracePeriodSeconds: 1 },
        { ...request, sandboxId: "sb-none" },
      ];
      for (const other of others) {
        expect(await refusalOf(sandboxes.deleteSandbox(other))).toMatchObject({
          code: Code.InvalidArgument,
          message: expect.stringContaining("request_id"),
        });
      }
    },
  );

  saysOfVolumes("a request_id with snapshots has at most 128 bytes", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await withVolumes(context);
    const request = { sandboxId, snapshotVolumes: ["one"] };
    const tooLong = { ...request, requestId: `${"ä".repeat(64)}x` };
    expect(await refusalOf(sandboxes.deleteSandbox(tooLong))).toMatchObject({
      code: Code.InvalidArgument,
      message: expect.stringContaining("request_id"),
    });
    const answer = await sandboxes.deleteSandbox({ ...request, requestId: "ä".repeat(64) });
    expect(answer.fileSystemSnapshotIds).toHaveLength(1);
  });

  says("without snapshots nobody looks at the request_id", async (context) => {
    const { sandboxes } = context.bed;
    const requestId = "x".repeat(500);
    const [one, two] = [await running(context), await running(context)];
    for (const [sandboxId, gracePeriodSeconds] of [
      [one, 0],
      [two, 1],
    ] as const) {
      const answer = await sandboxes.deleteSandbox({ sandboxId, gracePeriodSeconds, requestId });
      expect(answer.sandbox?.sandboxId).toBe(sandboxId);
    }
  });

  saysOfVolumes(
    "(our choice) once it stops, a repeat without a token is CWSANDBOX_SANDBOX_NOT_RUNNING",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await withVolumes(context);
      const request = { sandboxId, snapshotVolumes: ["one"] };
      await sandboxes.deleteSandbox(request);
      await eventually(async () => isTerminal(stateOf(await sandboxes.getSandbox({ sandboxId }))));
      expect(await refusalOf(sandboxes.deleteSandbox(request))).toMatchObject({
        code: Code.FailedPrecondition,
        reason: ErrorReason.SANDBOX_NOT_RUNNING,
      });
    },
  );

  says(
    "allow_missing and snapshot_volumes together are CWSANDBOX_INVALID_REQUEST",
    async ({ bed }) => {
      const request = { sandboxId: "sb-none", allowMissing: true, snapshotVolumes: ["one"] };
      expect(await refusalOf(bed.sandboxes.deleteSandbox(request))).toMatchObject({
        code: Code.FailedPrecondition,
        reason: ErrorReason.INVALID_REQUEST,
      });
    },
  );

  says("the volumes for a snapshot are found in the spec of every answer", async (context) => {
    const { sandboxes } = context.bed;
    const spec = specOf({}, { ...rest, tags: [context.tag] });
    const created = await sandboxes.createSandbox({ sandbox: { spec } });
    const got = await sandboxes.getSandbox({ sandboxId: created.sandboxId });
    const { sandbox } = await sandboxes.deleteSandbox({ sandboxId: created.sandboxId });
    for (const answer of [created, got, sandbox])
      expect(answer?.spec?.volumes.map(({ name }) => name)).toEqual(NAMES);
  });
});

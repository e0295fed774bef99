import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { FileSystemSnapshotSchema, SnapshotState, State } from "@tidybox/protocol";
import { expect, test } from "vitest";
import { NotFoundError } from "../errors/request-errors.ts";
import { attachSandbox } from "../sandbox/attach.ts";
import { notFound, refusal, sandboxRecord, startFaultService } from "../testing/fault-service.ts";
import { Snapshot } from "./snapshot.ts";

const record = (id: string, state: SnapshotState = SnapshotState.READY) =>
  create(FileSystemSnapshotSchema, { fileSystemSnapshotId: id, state, sourceSandboxId: "sb-1" });

function withVolume() {
  const sandbox = sandboxRecord(State.RUNNING);
  sandbox.spec?.volumes.push({
    $typeName: "coreweave.sandbox.v1.SandboxVolume",
    name: "data",
    source: { case: undefined },
  });
  return sandbox;
}

test("a snapshot whose answer was lost is not taken twice", async () => {
  const tokens: string[] = [];
  await using service = await startFaultService({
    createFileSystemSnapshot: ({ requestId, scratchVolumeName }) => {
      tokens.push(requestId);
      expect(scratchVolumeName).toBe("data");
      if (tokens.length === 1) service.cut();
      return record("fss-1");
    },
  });
  const snapshot = await attachSandbox(service.connection, withVolume()).snapshot();
  expect(snapshot.id).toBe("fss-1");
  expect(tokens).toHaveLength(2);
  expect(new Set(tokens).size).toBe(1);
  expect(tokens[0]).not.toBe("");
});

test("nor is one of a stop, also when the stop is tried again after it failed", async () => {
  const requests: string[] = [];
  await using service = await startFaultService({
    deleteSandbox: ({ requestId, snapshotVolumes, allowMissing }) => {
      requests.push(`${requestId} ${snapshotVolumes.join()} ${allowMissing}`);
      if (requests.length === 1) service.cut();
      if (requests.length === 2) throw refusal(Code.PermissionDenied);
      return { sandbox: sandboxRecord(State.TERMINATED), fileSystemSnapshotIds: ["fss-1"] };
    },
  });
  const sandbox = attachSandbox(service.connection, withVolume());
  const stop = () => sandbox.stop({ snapshotOnStop: true, missingOk: true });
  await expect(stop()).rejects.toMatchObject({ code: "authentication_error" });
  expect(await stop()).toMatchObject({ state: "terminated", snapshotIds: ["fss-1"] });
  expect(requests).toHaveLength(3);
  expect(new Set(requests).size).toBe(1);
  expect(requests[0]).toMatch(/^\S{36} data false$/);
});

test("a stop that may have taken snapshots nobody knows of is no success", async () => {
  let calls = 0;
  await using service = await startFaultService({
    deleteSandbox: () => {
      calls += 1;
      if (calls > 1) throw notFound();
      service.cut();
      return {};
    },
  });
  const sandbox = attachSandbox(service.connection, withVolume());
  const stop = sandbox.stop({ snapshotOnStop: ["data"], missingOk: true });
  await expect(stop).rejects.toThrow(NotFoundError);
});

test("a delete whose answer was lost has deleted it", async () => {
  let calls = 0;
  await using service = await startFaultService({
    deleteFileSystemSnapshot: () => {
      calls += 1;
      if (calls > 1) throw notFound();
      service.cut();
      return {};
    },
  });
  expect(await Snapshot.delete("fss-1", { connection: service.connection })).toBe(true);
});

test("a listing goes over all pages, and keeps to the sandbox where the service does not", async () => {
  await using service = await startFaultService({
    listFileSystemSnapshots: ({ pageToken }) =>
      pageToken === ""
        ? { fileSystemSnapshots: [record("fss-1")], nextPageToken: "2" }
        : { fileSystemSnapshots: [record("fss-2", SnapshotState.CREATING)] },
  });
  const { connection } = service;
  const all = await Snapshot.list({ connection }).toArray();
  expect(all.map(({ id, state }) => [id, state])).toEqual([
    ["fss-1", "ready"],
    ["fss-2", "creating"],
  ]);
  expect(await Snapshot.list({ connection, sourceSandboxId: "sb-2" }).toArray()).toEqual([]);
});

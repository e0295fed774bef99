import { create } from "@bufbuild/protobuf";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import {
  ErrorReason,
  FileSystemSnapshotSchema,
  ListFileSystemSnapshotsResponseSchema,
  MAX_REQUEST_ID_BYTES,
  type SandboxService,
  SnapshotTrigger,
} from "@tidybox/protocol";
import { failure, invalidArgument, sandboxNotRunning } from "../failures.ts";
import { stateName } from "../lifecycle.ts";
import { decodePageToken, encodePageToken } from "../page-token.ts";
import type { Sandboxes } from "../sandboxes.ts";
import { scratchVolumeOf } from "./scratch-volumes.ts";
import type { SnapshotRecord } from "./snapshot-record.ts";

const DEFAULT_PAGE_SIZE = 500;
const MAX_PAGE_SIZE = 1000;

type SnapshotCalls = Pick<
  ServiceImpl<typeof SandboxService>,
  | "createFileSystemSnapshot"
  | "getFileSystemSnapshot"
  | "listFileSystemSnapshots"
  | "deleteFileSystemSnapshot"
>;

/** The RPCs about snapshots (reference 3.10). */
export function snapshotCalls(sandboxes: Sandboxes): SnapshotCalls {
  const { snapshots } = sandboxes;
  return {
    createFileSystemSnapshot: ({ sandboxId, requestId, scratchVolumeName }) => {
      checkRequestId(requestId);
      const record = sandboxes.get(sandboxId);
      if (!sandboxes.hasVolumes) throw snapshotsNotSupported();
      const volume = scratchVolumeOf(record.spec, scratchVolumeName);
      const first = requestId === "" ? undefined : manualWith(snapshots.all(), requestId);
      if (first !== undefined) {
        const { origin } = first;
        if (origin.sandboxId === sandboxId && origin.volume === volume) return first.view();
        throw usedBefore();
      }
      // One that still starts is refused, as the real service does; commands wait for it.
      const sandbox = record.running;
      if (sandbox === undefined) throw sandboxNotRunning(sandboxId, stateName(record.state));
      const trigger = SnapshotTrigger.MANUAL;
      const [begun] = snapshots.begin([{ sandboxId, volume, requestId, trigger }]);
      if (begun === undefined) throw new Error("one snapshot was begun");
      void snapshots.take(begun, sandbox);
      return begun.view();
    },
    getFileSystemSnapshot: ({ fileSystemSnapshotId }) => snapshots.get(fileSystemSnapshotId).view(),
    listFileSystemSnapshots: ({ pageSize, pageToken, sourceSandboxId }) => {
      const after = decodePageToken(pageToken);
      if (after === undefined) {
        const description = "is not a token of this service; use next_page_token as it is";
        throw invalidArgument([{ field: "page_token", description }]);
      }
      if (pageSize < 0)
        throw invalidArgument([{ field: "page_size", description: "must not be negative" }]);
      const size = Math.min(pageSize || DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE);
      const found = [...snapshots.all()].filter(
        ({ sequence, origin }) =>
          sequence > after && ["", origin.sandboxId].includes(sourceSandboxId),
      );
      const page = found.slice(0, size);
      const last = page.at(-1)?.sequence ?? after;
      return create(ListFileSystemSnapshotsResponseSchema, {
        fileSystemSnapshots: page.map((record) => record.view()),
        nextPageToken: found.length > page.length ? encodePageToken(last) : "",
      });
    },
    deleteFileSystemSnapshot: ({ fileSystemSnapshotId, allowMissing }) =>
      allowMissing && !snapshots.has(fileSystemSnapshotId)
        ? create(FileSystemSnapshotSchema, {})
        : snapshots.delete(fileSystemSnapshotId).view(),
  };
}

export function checkRequestId(requestId: string): void {
  if (Buffer.byteLength(requestId) <= MAX_REQUEST_ID_BYTES) return;
  const description = `must have at most ${MAX_REQUEST_ID_BYTES} bytes`;
  throw invalidArgument([{ field: "request_id", description }]);
}

export function usedBefore(): Error {
  const description = "was used for another request; make a new one for each";
  return invalidArgument([{ field: "request_id", description }]);
}

export function snapshotsNotSupported(): Error {
  return failure(
    Code.FailedPrecondition,
    ErrorReason.FSS_NOT_SUPPORTED,
    'the engine "process" has no volumes, and so no snapshots: use the engine "bubblewrap"',
  );
}

function manualWith(
  records: Iterable<SnapshotRecord>,
  requestId: string,
): SnapshotRecord | undefined {
  return [...records].find(
    ({ origin }) => origin.requestId === requestId && origin.trigger === SnapshotTrigger.MANUAL,
  );
}

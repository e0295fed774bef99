import { equals } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import {
  type DeleteSandboxRequest,
  DeleteSandboxRequestSchema,
  ErrorReason,
  SnapshotTrigger,
  State,
} from "@tidybox/protocol";
import { failure, sandboxNotRunning } from "../failures.ts";
import { stateName } from "../lifecycle.ts";
import type { SandboxRecord } from "../sandbox-record.ts";
import { checkScratchVolumes } from "./scratch-volumes.ts";
import { checkRequestId, snapshotsNotSupported, usedBefore } from "./snapshot-calls.ts";
import type { SnapshotRecord } from "./snapshot-record.ts";
import type { Snapshots } from "./snapshots.ts";

/** Far more than a run makes. */
const MAX_TOKENS = 10_000;

/** Deletes that take snapshots (reference 3.4): what each token did first, and what to take. */
export class SnapshotOnDelete {
  readonly #snapshots: Snapshots;
  readonly #first = new Map<string, { request: DeleteSandboxRequest; ids: readonly string[] }>();

  constructor(snapshots: Snapshots) {
    this.#snapshots = snapshots;
  }

  /** The ids of an exact replay, whatever became of them; undefined for a new request. */
  replayed(request: DeleteSandboxRequest): readonly string[] | undefined {
    checkRequestId(request.requestId);
    if (request.allowMissing) {
      throw failure(
        Code.FailedPrecondition,
        ErrorReason.INVALID_REQUEST,
        "allow_missing and snapshot_volumes exclude each other: of what is missing there is no snapshot",
      );
    }
    const first = this.#first.get(request.requestId);
    if (request.requestId === "" || first === undefined) return undefined;
    if (!equals(DeleteSandboxRequestSchema, first.request, request)) throw usedBefore();
    return first.ids;
  }

  /** Begins one for each volume, in order. */
  begin(
    record: SandboxRecord,
    request: DeleteSandboxRequest,
    hasVolumes: boolean,
  ): readonly SnapshotRecord[] {
    const { snapshotVolumes, requestId } = request;
    if (!hasVolumes) throw snapshotsNotSupported();
    checkScratchVolumes(record.spec, snapshotVolumes, "snapshot_volumes");
    if (record.state !== State.RUNNING && !record.isStarting)
      throw sandboxNotRunning(record.id, stateName(record.state));
    const origin = { sandboxId: record.id, requestId, trigger: SnapshotTrigger.ON_DELETE };
    const begun = this.#snapshots.begin(snapshotVolumes.map((volume) => ({ ...origin, volume })));
    if (requestId !== "") {
      this.#first.set(requestId, { request, ids: begun.map(({ id }) => id) });
      const [oldest] = this.#first.keys();
      if (this.#first.size > MAX_TOKENS && oldest !== undefined) this.#first.delete(oldest);
    }
    return begun;
  }
}

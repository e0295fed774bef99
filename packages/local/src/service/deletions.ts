import type { DeleteSandboxRequest } from "@tidybox/protocol";
import type { EngineSandbox } from "../engines/engine.ts";
import { invalidArgument, sandboxNotFound } from "./failures.ts";
import type { SandboxRecord } from "./sandbox-record.ts";
import type { SandboxRegistry } from "./sandbox-registry.ts";
import { SnapshotOnDelete } from "./snapshots/snapshot-on-delete.ts";
import type { Snapshots } from "./snapshots/snapshots.ts";

/** "clamped to a platform maximum": the reference mentions this one. */
const MAX_GRACE_SECONDS = 300;

/** A stop without grace takes milliseconds: a caller that gets the end at once need not poll. */
const PROMPT_STOP_SECONDS = 0.25;

export interface Deletion {
  /** Undefined where it was not there, and need not have been. */
  readonly record: SandboxRecord | undefined;
  readonly snapshotIds: readonly string[];
}

/** Stops single sandboxes, with snapshots of their volumes where those are asked for. */
export class Deletions {
  readonly #registry: SandboxRegistry;
  readonly #snapshots: Snapshots;
  readonly #snapshotOnDelete: SnapshotOnDelete;
  readonly #hasVolumes: boolean;

  constructor(registry: SandboxRegistry, snapshots: Snapshots, hasVolumes: boolean) {
    this.#registry = registry;
    this.#snapshots = snapshots;
    this.#snapshotOnDelete = new SnapshotOnDelete(snapshots);
    this.#hasVolumes = hasVolumes;
  }

  /** Begins the stop and answers at once; only a stop that takes no time is waited for. */
  async delete(request: DeleteSandboxRequest): Promise<Deletion> {
    const wantsSnapshots = request.snapshotVolumes.length > 0;
    const replayed = wantsSnapshots ? this.#snapshotOnDelete.replayed(request) : undefined;
    if (replayed !== undefined)
      return { record: this.#registry.get(request.sandboxId), snapshotIds: replayed };

    if (request.gracePeriodSeconds < 0) {
      throw invalidArgument([
        { field: "grace_period_seconds", description: "must not be negative" },
      ]);
    }
    const record = this.#registry.get(request.sandboxId);
    if (record === undefined) {
      if (request.allowMissing) return { record, snapshotIds: [] };
      throw sandboxNotFound(request.sandboxId);
    }
    const snapshots = wantsSnapshots
      ? this.#snapshotOnDelete.begin(record, request, this.#hasVolumes)
      : [];
    const graceSeconds = Math.min(request.gracePeriodSeconds, MAX_GRACE_SECONDS);
    const take = async (sandbox: EngineSandbox | undefined): Promise<void> => {
      for (const snapshot of snapshots) await this.#snapshots.take(snapshot, sandbox);
    };
    const reason =
      graceSeconds > 0 ? `it was deleted, with ${graceSeconds} s of grace` : "it was deleted";
    record.terminate(graceSeconds, reason, wantsSnapshots ? take : undefined);
    await record.ended(PROMPT_STOP_SECONDS);
    return { record, snapshotIds: snapshots.map(({ id }) => id) };
  }
}

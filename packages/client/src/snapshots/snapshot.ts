import type { FileSystemSnapshot } from "@tidybox/protocol";
import type { Connection } from "../connection/connection.ts";
import { sharedConnection } from "../connection/shared-connection.ts";
import { checkText } from "../options/checks.ts";
import { toDate } from "../sandbox/status.ts";
import { deleteSnapshot, getSnapshot } from "./snapshot-calls.ts";
import { type SnapshotFilter, SnapshotList } from "./snapshot-list.ts";
import { type SnapshotState, toSnapshotState } from "./snapshot-state.ts";
import { type SnapshotWaitOptions, waitForSnapshot } from "./wait-for-snapshot.ts";

interface Target {
  /** Default: one for the whole process, as the environment says. */
  readonly connection?: Connection | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface SnapshotListOptions extends Target {
  /** Only those of this sandbox. */
  readonly sourceSandboxId?: string | undefined;
}

export interface SnapshotDeleteOptions extends Target {
  /** Answer false, rather than throw, when there is no such snapshot. Default false. */
  readonly missingOk?: boolean | undefined;
}

/**
 * An archive of a scratch volume, which outlives its sandbox: nothing deletes it but
 * {@link Snapshot.delete}. A volume begins with it by `scratch: { restoreFromSnapshotId }`.
 */
export class Snapshot {
  readonly #connection: Connection;
  #record: FileSystemSnapshot;

  /** Use `sandbox.snapshot()`, {@link Snapshot.fromId} or {@link Snapshot.list}. */
  constructor(connection: Connection, record: FileSystemSnapshot) {
    this.#connection = connection;
    this.#record = record;
  }

  /** @throws NotFoundError when the service does not know it (any more) */
  static async fromId(id: string, { connection, signal }: Target = {}): Promise<Snapshot> {
    const target = connection ?? sharedConnection();
    return new Snapshot(target, await getSnapshot(target, id, signal));
  }

  /** Those of the caller's organization. Asks when it is read. */
  static list({ connection, ...filter }: SnapshotListOptions = {}): SnapshotList {
    const target = connection ?? sharedConnection();
    if (filter.sourceSandboxId !== undefined) checkText(filter.sourceSandboxId, "sourceSandboxId");
    const wanted: SnapshotFilter = filter;
    return new SnapshotList(target, wanted, (record) => new Snapshot(target, record));
  }

  /**
   * Deletes a snapshot by its id; sandboxes that began with it keep their data. Answers whether it
   * was there.
   *
   * @throws NotFoundError when it was not, unless `missingOk`
   */
  static delete(id: string, options: SnapshotDeleteOptions = {}): Promise<boolean> {
    const { connection = sharedConnection(), missingOk = false, signal } = options;
    return deleteSnapshot(connection, id, { missingOk, signal });
  }

  get id(): string {
    return this.#record.fileSystemSnapshotId;
  }

  /** As last seen: {@link Snapshot.refresh} looks again. */
  get state(): SnapshotState {
    return toSnapshotState(this.#record.state);
  }

  /** The service's text, such as why it failed; empty where it says nothing. */
  get stateReason(): string {
    return this.#record.stateReason;
  }

  /** Of the archive; 0 until it is ready. */
  get sizeBytes(): number {
    return Number(this.#record.sizeBytes);
  }

  get sourceSandboxId(): string {
    return this.#record.sourceSandboxId;
  }

  /** Name of the volume in the sandbox that it was taken of. */
  get volume(): string {
    return this.#record.sourceVolumeName;
  }

  /** The idempotency key under which it was taken: chosen by whoever took it. */
  get requestId(): string {
    return this.#record.requestId;
  }

  get createdAt(): Date | undefined {
    return toDate(this.#record.createTime);
  }

  /** When it was ready, or had failed. */
  get completedAt(): Date | undefined {
    return toDate(this.#record.completeTime);
  }

  /**
   * Waits until it is ready, and answers itself.
   *
   * @throws SnapshotFailedError; TimeoutError after `timeoutSeconds`, and it goes on being taken
   */
  async wait(options: SnapshotWaitOptions = {}): Promise<this> {
    this.#record = await waitForSnapshot(this.#connection, this.#record, options);
    return this;
  }

  /**
   * Looks at it now, and answers itself.
   *
   * @throws NotFoundError when it was deleted
   */
  async refresh({ signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<this> {
    this.#record = await getSnapshot(this.#connection, this.id, signal);
    return this;
  }

  /** Like {@link Snapshot.delete} by its id. */
  delete(options: Omit<SnapshotDeleteOptions, "connection"> = {}): Promise<boolean> {
    return Snapshot.delete(this.id, { ...options, connection: this.#connection });
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `Snapshot { id: '${this.id}', state: '${this.state}' }`;
  }
}

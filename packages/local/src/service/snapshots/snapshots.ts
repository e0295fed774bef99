import { randomUUID } from "node:crypto";
import { linkSync, mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import { ErrorReason, SnapshotState } from "@tidybox/protocol";
import type { EngineSandbox, PlannedRestore } from "../../engines/engine.ts";
import { VolumeArchiveError } from "../../engines/volume-archive-error.ts";
import { failure } from "../failures.ts";
import type { RecordFolder } from "../resources/record-folder.ts";
import { readSnapshot, removeUnknownArchives, snapshotRecordOf } from "./kept-snapshots.ts";
import { SnapshotRecord, type SnapshotOrigin } from "./snapshot-record.ts";

const GIBIBYTE = 1024 ** 3;

/** What bounds the disk: each archive, all archives, and their number. */
const MAX_ARCHIVE_BYTES = GIBIBYTE;
const MAX_TOTAL_BYTES = 4 * GIBIBYTE;
const MAX_SNAPSHOTS = 1000;

/** Each reads and writes as fast as the disk can. */
const MAX_AT_ONCE = 2;

const MAX_UNFINISHED = 64;
const RETRY_SECONDS = 1;

/** Of one archive; the reference lets a stop with snapshots take as long. */
const ARCHIVE_SECONDS = 300;

/** The snapshots of a service: archives in a private folder, which goes with the service unless it keeps records. */
export class Snapshots {
  readonly #folder: string;
  readonly #kept: RecordFolder | undefined;
  readonly #records = new Map<string, SnapshotRecord>();
  readonly #closing = new AbortController();
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #unfinished = 0;
  /** Of archives that are being written: the most that they may become. */
  #reservedBytes = 0;
  #lastSequence = 0;

  /**
   * The folder is made with the first snapshot. Given `records`, what an earlier service has taken
   * there is found again, and what it has not finished is removed.
   */
  constructor(folder: string, records?: RecordFolder) {
    this.#folder = folder;
    this.#kept = records;
    for (const record of records?.load((id, value) => readSnapshot(folder, id, value)) ?? []) {
      this.#records.set(record.id, record);
      this.#lastSequence = Math.max(this.#lastSequence, record.sequence);
    }
    if (records !== undefined) removeUnknownArchives(folder, new Set(this.#records.keys()));
  }

  /** New ones, all or none, CREATING. Whoever begins them takes them. */
  begin(origins: readonly SnapshotOrigin[]): readonly SnapshotRecord[] {
    if (this.#unfinished + origins.length > MAX_UNFINISHED) {
      const message = `${this.#unfinished} snapshots are being taken already`;
      throw failure(Code.Unavailable, ErrorReason.FSS_INFLIGHT_LIMIT, message, {
        retryAfterSeconds: RETRY_SECONDS,
      });
    }
    if (this.#records.size + origins.length > MAX_SNAPSHOTS || this.#freeBytes() <= 0) {
      throw failure(
        Code.FailedPrecondition,
        ErrorReason.FSS_QUOTA_EXCEEDED,
        `the local service keeps at most ${MAX_SNAPSHOTS} snapshots of ${MAX_TOTAL_BYTES} bytes in all: delete some`,
      );
    }
    this.#unfinished += origins.length;
    return origins.map((origin) => {
      this.#lastSequence += 1;
      const record = new SnapshotRecord(`fss-${randomUUID()}`, this.#lastSequence, origin);
      this.#records.set(record.id, record);
      return record;
    });
  }

  /** Makes it READY, or FAILED with a reason. Never throws. Undefined: the sandbox is gone. */
  async take(record: SnapshotRecord, sandbox: EngineSandbox | undefined): Promise<void> {
    const file = this.#file(record);
    try {
      await this.#turn();
      const maxBytes = Math.min(MAX_ARCHIVE_BYTES, this.#freeBytes());
      this.#reservedBytes += maxBytes;
      try {
        record.ready(await this.#archive(record, sandbox, { file, maxBytes }));
        this.#kept?.write(record.id, snapshotRecordOf(record));
      } finally {
        this.#reservedBytes -= maxBytes;
      }
    } catch (error) {
      rmSync(file, { force: true });
      const exceeded = error instanceof VolumeArchiveError && error.kind === "size_exceeded";
      const reason = exceeded ? ErrorReason.FSS_SIZE_EXCEEDED : ErrorReason.FSS_CREATE_FAILED;
      record.fail(`${reason}: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      this.#unfinished -= 1;
      this.#running -= 1;
      this.#waiting.shift()?.();
    }
  }

  /** Throws NOT_FOUND. */
  get(id: string): SnapshotRecord {
    const record = this.#records.get(id);
    if (record !== undefined) return record;
    const message = `there is no snapshot ${JSON.stringify(id)}: the id is wrong, or it was deleted`;
    throw failure(Code.NotFound, ErrorReason.FSS_NOT_FOUND, message);
  }

  has(id: string): boolean {
    return this.#records.has(id);
  }

  /** In order of creation. */
  all(): Iterable<SnapshotRecord> {
    return this.#records.values();
  }

  /** Throws NOT_FOUND, and FAILED_PRECONDITION while it is being taken. */
  delete(id: string): SnapshotRecord {
    const record = this.get(id);
    if (record.state === SnapshotState.CREATING) throw notReady(record);
    record.deleting();
    this.#records.delete(id);
    this.#kept?.remove(id);
    rmSync(this.#file(record), { force: true });
    return record;
  }

  /** Throws unless a volume can begin with it. */
  checkReady(id: string): void {
    const record = this.get(id);
    if (record.state !== SnapshotState.READY) throw notReady(record);
  }

  /**
   * For one restore, with another name of the archive: the snapshot may be deleted meanwhile. The
   * caller removes the archive.
   */
  lend(id: string): Omit<PlannedRestore, "volume"> {
    this.checkReady(id);
    const record = this.get(id);
    const archive = join(this.#folder, `lent-${randomUUID()}.tar`);
    linkSync(this.#file(record), archive);
    return { archive, snapshot: record };
  }

  /** Breaks off what is being taken. */
  close(): void {
    this.#closing.abort(new Error("the local service was closed"));
  }

  async #archive(
    { origin: { volume } }: SnapshotRecord,
    sandbox: EngineSandbox | undefined,
    target: { readonly file: string; readonly maxBytes: number },
  ): Promise<number> {
    if (sandbox === undefined) throw new Error("the sandbox had ended before it was taken");
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const late = new AbortController();
    const reason = new Error(`it was not done after ${ARCHIVE_SECONDS} s`);
    const timer = setTimeout(() => late.abort(reason), ARCHIVE_SECONDS * 1000);
    try {
      const signal = AbortSignal.any([late.signal, this.#closing.signal]);
      await sandbox.archiveVolume(volume, { ...target, signal });
      return statSync(target.file).size;
    } finally {
      clearTimeout(timer);
    }
  }

  async #turn(): Promise<void> {
    this.#running += 1;
    if (this.#running <= MAX_AT_ONCE) return;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #freeBytes(): number {
    let used = this.#reservedBytes;
    for (const { sizeBytes } of this.#records.values()) used += sizeBytes;
    return MAX_TOTAL_BYTES - used;
  }

  #file({ id }: SnapshotRecord): string {
    return join(this.#folder, `${id}.tar`);
  }
}

function notReady({ id, state }: SnapshotRecord): Error {
  const what = state === SnapshotState.CREATING ? "is still being taken" : "has failed";
  const message = `snapshot ${id} ${what}`;
  return failure(Code.FailedPrecondition, ErrorReason.FSS_NOT_READY, message);
}

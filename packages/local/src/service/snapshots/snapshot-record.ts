import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampNow } from "@bufbuild/protobuf/wkt";
import {
  type FileSystemSnapshot,
  FileSystemSnapshotSchema,
  SnapshotState,
  type SnapshotTrigger,
} from "@tidybox/protocol";
import { LOCAL_BUCKET } from "../resources/settings.ts";

export interface SnapshotOrigin {
  readonly sandboxId: string;
  readonly volume: string;
  readonly requestId: string;
  readonly trigger: SnapshotTrigger;
}

/** One archive of a volume, and what clients are told of it. */
export class SnapshotRecord {
  readonly id: string;
  /** Counts snapshots of this service, from 1. */
  readonly sequence: number;
  readonly origin: SnapshotOrigin;
  readonly #createTime: Timestamp;
  #updateTime: Timestamp;
  #completeTime: Timestamp | undefined;
  #state: SnapshotState = SnapshotState.CREATING;
  #reason = "";
  #sizeBytes = 0;
  readonly #deleted = new AbortController();

  constructor(
    id: string,
    sequence: number,
    origin: SnapshotOrigin,
    createTime: Timestamp = timestampNow(),
  ) {
    this.id = id;
    this.sequence = sequence;
    this.origin = origin;
    this.#createTime = createTime;
    this.#updateTime = createTime;
  }

  /** One that an earlier service has taken, as that one showed it. Throws unless it was READY. */
  static restored(sequence: number, view: FileSystemSnapshot): SnapshotRecord {
    if (view.state !== SnapshotState.READY) throw new Error("it was not READY");
    const record = new SnapshotRecord(
      view.fileSystemSnapshotId,
      sequence,
      {
        sandboxId: view.sourceSandboxId,
        volume: view.sourceVolumeName,
        requestId: view.requestId,
        trigger: view.trigger,
      },
      view.createTime,
    );
    record.#state = view.state;
    record.#sizeBytes = Number(view.sizeBytes);
    record.#completeTime = view.completeTime;
    record.#updateTime = view.updatedAt ?? record.#createTime;
    return record;
  }

  get state(): SnapshotState {
    return this.#state;
  }

  /** Of its archive; 0 unless it is READY. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  ready(sizeBytes: number): void {
    this.#sizeBytes = sizeBytes;
    this.#complete(SnapshotState.READY);
  }

  fail(reason: string): void {
    this.#reason = reason;
    this.#complete(SnapshotState.FAILED);
  }

  /** Aborted with its deletion. */
  get deleted(): AbortSignal {
    return this.#deleted.signal;
  }

  deleting(): void {
    this.#state = SnapshotState.DELETING;
    this.#updateTime = timestampNow();
    this.#deleted.abort();
  }

  view(): FileSystemSnapshot {
    const { sandboxId, volume, requestId, trigger } = this.origin;
    return create(FileSystemSnapshotSchema, {
      fileSystemSnapshotId: this.id,
      state: this.#state,
      stateReason: this.#reason,
      sizeBytes: BigInt(this.#sizeBytes),
      sourceSandboxId: sandboxId,
      trigger,
      createTime: this.#createTime,
      ...(this.#completeTime && { completeTime: this.#completeTime }),
      sourceVolumeName: volume,
      objectBucket: LOCAL_BUCKET,
      updatedAt: this.#updateTime,
      requestId,
    });
  }

  #complete(state: SnapshotState): void {
    this.#state = state;
    this.#completeTime = timestampNow();
    this.#updateTime = this.#completeTime;
  }
}

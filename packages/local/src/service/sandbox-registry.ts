import { randomUUID } from "node:crypto";
import type { SandboxRecord } from "./sandbox-record.ts";

/** Ended sandboxes are kept so that whoever polls learns how they ended; within these bounds. */
const RETAINED_SECONDS = 60 * 60;
const RETAINED_RECORDS = 2000;
const RETAINED_BYTES = 64 * 1024 * 1024;

/** All sandboxes of a service, in order of creation. */
export class SandboxRegistry {
  readonly #records = new Map<string, SandboxRecord>();
  readonly #active = new Set<SandboxRecord>();
  /** Oldest end first. */
  readonly #ended = new Set<SandboxRecord>();
  #endedBytes = 0;
  #lastSequence = 0;
  readonly #onForgotten: (id: string) => void;

  /** `onForgotten` hears of each record that is dropped for its age or number. */
  constructor(onForgotten: (id: string) => void) {
    this.#onForgotten = onForgotten;
  }

  get activeCount(): number {
    return this.#active.size;
  }

  /** A fresh id and sequence for the next sandbox. */
  next(): { readonly id: string; readonly sequence: number } {
    this.#lastSequence += 1;
    return { id: `sb-${randomUUID()}`, sequence: this.#lastSequence };
  }

  add(record: SandboxRecord): void {
    this.#records.set(record.id, record);
    this.#active.add(record);
    void record.over.then(() => {
      this.#active.delete(record);
      this.#ended.add(record);
      this.#endedBytes += record.sizeBytes;
      this.#forget();
    });
  }

  get(id: string): SandboxRecord | undefined {
    this.#forget();
    return this.#records.get(id);
  }

  /** In order of creation. */
  all(): Iterable<SandboxRecord> {
    this.#forget();
    return this.#records.values();
  }

  active(): readonly SandboxRecord[] {
    return [...this.#active];
  }

  #forget(): void {
    const before = Date.now() - RETAINED_SECONDS * 1000;
    for (const record of this.#ended) {
      const fits = this.#ended.size <= RETAINED_RECORDS && this.#endedBytes <= RETAINED_BYTES;
      // The newest end stays, however large, or nobody could learn of it.
      if ((fits && (record.endedAt ?? 0) >= before) || this.#ended.size === 1) return;
      this.#ended.delete(record);
      this.#endedBytes -= record.sizeBytes;
      this.#records.delete(record.id);
      this.#onForgotten(record.id);
    }
  }
}

import type { LineLog, LogMemory } from "./line-log.ts";

const MAX_LOG_BYTES = 16 * 1024 * 1024;
const MAX_TOTAL_BYTES = 64 * 1024 * 1024;

const LEAST_SEGMENT_BYTES = 4 * 1024;
const MOST_SEGMENT_BYTES = 128 * 1024;

const SEGMENTS_OF_SHARE = 4;

/**
 * Bounds what the logs of all sandboxes hold, each and together: the oldest output goes first, and
 * where all together are too large, that of whoever has most.
 */
export class BoundedLogMemory implements LogMemory {
  readonly #maxLogBytes: number;
  readonly #maxTotalBytes: number;
  readonly #logs = new Set<LineLog>();
  #totalBytes = 0;

  constructor({ maxLogBytes = MAX_LOG_BYTES, maxTotalBytes = MAX_TOTAL_BYTES } = {}) {
    this.#maxLogBytes = maxLogBytes;
    this.#maxTotalBytes = maxTotalBytes;
  }

  get totalBytes(): number {
    return this.#totalBytes;
  }

  get segmentBytes(): number {
    const share = Math.min(this.#maxLogBytes, this.#maxTotalBytes / Math.max(1, this.#logs.size));
    const bytes = Math.floor(share / SEGMENTS_OF_SHARE);
    return Math.max(LEAST_SEGMENT_BYTES, Math.min(MOST_SEGMENT_BYTES, bytes));
  }

  changed(log: LineLog, byBytes: number): void {
    this.#totalBytes += byBytes;
    if (log.costBytes > 0) this.#logs.add(log);
    else this.#logs.delete(log);
    if (byBytes <= 0) return;
    while (log.costBytes > this.#maxLogBytes) if (!log.dropOldest(1)) break;
    // Its own first: looking for the largest of a thousand, with every write, would cost too much.
    const share = this.#maxTotalBytes / this.#logs.size;
    while (this.#totalBytes > this.#maxTotalBytes) {
      if (log.costBytes > share && log.dropOldest(1)) continue;
      if (this.#largestBut(log)?.dropOldest(0) !== true) return;
    }
  }

  /** What it writes to at the moment must stay. */
  #largestBut(writing: LineLog): LineLog | undefined {
    let largest: LineLog | undefined;
    for (const log of this.#logs) {
      if (log !== writing && log.costBytes > (largest?.costBytes ?? 0)) largest = log;
    }
    return largest;
  }
}

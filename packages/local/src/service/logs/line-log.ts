import { LogReaders } from "./log-readers.ts";
import { LogSegment } from "./log-segment.ts";

/** Most sandboxes say little: a log begins small, and its pieces double. */
const FIRST_SEGMENT_BYTES = 4 * 1024;

/** A reader that is so many pieces behind is in danger of losing some. */
const SAFE_SEGMENTS = 4;

/** Whoever bounds what logs hold; told when one costs more or less. */
export interface LogMemory {
  /** Largest piece to hold, and to give up, at once. */
  readonly segmentBytes: number;
  changed(log: LineLog, byBytes: number): void;
}

/**
 * The output of a main process in bounded memory: the last of it, by offsets that count from its
 * very first byte. Lines have numbers, from 0, and the time of their first byte.
 */
export class LineLog {
  readonly #memory: LogMemory;
  readonly #segments: LogSegment[] = [];
  readonly #waiting = new Set<() => void>();
  readonly readers = new LogReaders();
  #end = 0;
  #lineCount = 0;
  #lastTime = 0;
  #midLine = false;
  #costBytes = 0;
  #closed = false;
  /** Whoever may still read it: its sandbox, and sessions. */
  #users = 1;

  constructor(memory: LogMemory) {
    this.#memory = memory;
  }

  /** Offset behind the last byte. */
  get end(): number {
    return this.#end;
  }

  /** Offset of the oldest byte that is still there. */
  get retainedStart(): number {
    return this.#segments[0]?.start ?? this.#end;
  }

  /** How many lines have begun. */
  get lineCount(): number {
    return this.#lineCount;
  }

  /** The oldest line that is still there from its first byte on; `lineCount` when there is none. */
  get firstWholeLine(): number {
    return this.#segments[0]?.firstLine ?? this.#lineCount;
  }

  /** Whether the last line has no end yet. */
  get midLine(): boolean {
    return this.#midLine;
  }

  /** No more will come. */
  get closed(): boolean {
    return this.#closed;
  }

  get costBytes(): number {
    return this.#costBytes;
  }

  append(data: Buffer): void {
    if (this.#users === 0) return;
    // Lines are found by their time: a clock that was set back must not put them out of order.
    this.#lastTime = Math.max(this.#lastTime, Date.now());
    let left = data;
    while (left.length > 0) {
      const segment = this.#open();
      const before = segment.costBytes;
      const taken = segment.append(left, this.#lastTime, !this.#midLine);
      this.#midLine = !segment.endsLine();
      this.#end = segment.end;
      this.#lineCount = segment.endLine;
      left = left.subarray(taken);
      this.#account(segment.costBytes - before);
    }
    this.#wake();
  }

  /** Resolves when more can be written: at once, but in a burst that somebody is reading. */
  async writable(): Promise<void> {
    await this.readers.passed(this.#end - SAFE_SEGMENTS * this.#memory.segmentBytes);
  }

  /** Says that no more will come. Safe to call twice. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  /** Gives the oldest piece up, unless only so many are there; false then. */
  dropOldest(kept: number): boolean {
    if (this.#segments.length <= kept) return false;
    const [dropped] = this.#segments.splice(0, 1);
    this.#account(-(dropped?.costBytes ?? 0));
    return true;
  }

  use(): void {
    this.#users += 1;
  }

  /** The last one to leave takes the memory along. */
  release(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    this.#segments.length = 0;
    this.#account(-this.#costBytes);
  }

  /** Where a line that is there from its first byte on begins. */
  startOf(line: number): number {
    return this.#segmentOfLine(line)?.startOf(line) ?? this.#end;
  }

  /** When a line began, also one whose beginning is gone. */
  timeOf(line: number): number {
    return (
      this.#segmentOfLine(line)?.timeOf(line) ?? this.#segments[0]?.enteredTime ?? this.#lastTime
    );
  }

  /** The first line at or behind `least` that began at that time or later. */
  lineSince(time: number, least: number): number {
    return firstFrom(least, this.#lineCount, (line) => this.timeOf(line) >= time);
  }

  /** A view of some of what is there at an offset, at most so much; empty at the end. */
  read(from: number, maxBytes: number): Buffer {
    const index = firstFrom(0, this.#segments.length, (each) => {
      const segment = this.#segments[each];
      return segment !== undefined && segment.end > from;
    });
    return this.#segments[index]?.read(from, maxBytes) ?? Buffer.alloc(0);
  }

  /** Resolves when there is more, or never will be, or the signal aborts. */
  async change(seenEnd: number, signal: AbortSignal): Promise<void> {
    if (this.#end > seenEnd || this.#closed || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        signal.removeEventListener("abort", wake);
        this.#waiting.delete(wake);
        resolve();
      };
      signal.addEventListener("abort", wake);
      this.#waiting.add(wake);
    });
  }

  #open(): LogSegment {
    const last = this.#segments.at(-1);
    if (last !== undefined && !last.full) return last;
    const sizeBytes = Math.min(
      this.#memory.segmentBytes,
      last === undefined ? FIRST_SEGMENT_BYTES : last.sizeBytes * 2,
    );
    const segment = new LogSegment(sizeBytes, {
      start: this.#end,
      firstLine: this.#lineCount,
      enteredTime: last?.lastTime ?? this.#lastTime,
    });
    this.#segments.push(segment);
    this.#account(segment.costBytes);
    return segment;
  }

  #account(byBytes: number): void {
    this.#costBytes += byBytes;
    this.#memory.changed(this, byBytes);
  }

  #segmentOfLine(line: number): LogSegment | undefined {
    const index = firstFrom(
      0,
      this.#segments.length,
      (each) => line < (this.#segments[each]?.endLine ?? 0),
    );
    return this.#segments[index];
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}

/** The first number from `low` on, below `high`, for which it holds; it holds for all behind it. */
export function firstFrom(low: number, high: number, holds: (value: number) => boolean): number {
  let from = low;
  let to = Math.max(low, high);
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    if (holds(middle)) to = middle;
    else from = middle + 1;
  }
  return from;
}

/** A number each for where a line begins and when, in arrays of doubles. */
const BYTES_OF_LINE = 16;

/** Most that lines cost, measured in the bytes of a segment. */
const MAX_LINES_COST = 2;

const NEW_LINE = 0x0a;

/** A piece of a log: bytes, and where and when lines begin in it. Grows at its end, never changes. */
export class LogSegment {
  /** Offset in the whole log of its first byte. */
  readonly start: number;
  /** Number of the first line that begins here, or would. */
  readonly firstLine: number;
  /** When the line began that runs on into this segment; milliseconds since the epoch. */
  readonly enteredTime: number;
  readonly #bytes: Buffer;
  readonly #lineStarts: number[] = [];
  readonly #lineTimes: number[] = [];
  #length = 0;

  constructor(
    sizeBytes: number,
    at: { readonly start: number; readonly firstLine: number; readonly enteredTime: number },
  ) {
    this.start = at.start;
    this.firstLine = at.firstLine;
    this.enteredTime = at.enteredTime;
    this.#bytes = Buffer.allocUnsafeSlow(sizeBytes);
  }

  get end(): number {
    return this.start + this.#length;
  }

  /** Number of the first line that begins behind it. */
  get endLine(): number {
    return this.firstLine + this.#lineStarts.length;
  }

  get full(): boolean {
    // Lines of one byte cost more than their byte: not more of them than cost this many times more.
    const linesBytes = this.#lineStarts.length * BYTES_OF_LINE;
    return this.#length === this.#bytes.length || linesBytes >= MAX_LINES_COST * this.#bytes.length;
  }

  get sizeBytes(): number {
    return this.#bytes.length;
  }

  get costBytes(): number {
    return this.#bytes.length + this.#lineStarts.length * BYTES_OF_LINE;
  }

  /** When the last line in it began. */
  get lastTime(): number {
    return this.#lineTimes.at(-1) ?? this.enteredTime;
  }

  /**
   * Takes in as much as fits and answers how much that was. `beginsLine`: whether the first byte
   * is the first of a line.
   */
  append(data: Buffer, time: number, beginsLine: boolean): number {
    let taken = 0;
    let begins = beginsLine;
    while (taken < data.length && !this.full) {
      if (begins) {
        this.#lineStarts.push(this.end);
        this.#lineTimes.push(time);
      }
      const newLine = data.indexOf(NEW_LINE, taken);
      const lineEnd = newLine === -1 ? data.length : newLine + 1;
      const count = Math.min(lineEnd - taken, this.#bytes.length - this.#length);
      data.copy(this.#bytes, this.#length, taken, taken + count);
      this.#length += count;
      taken += count;
      begins = taken === lineEnd && newLine !== -1;
    }
    return taken;
  }

  /** A view, from an offset in the whole log on. */
  read(from: number, maxBytes: number): Buffer {
    const begin = from - this.start;
    return this.#bytes.subarray(begin, Math.min(this.#length, begin + maxBytes));
  }

  endsLine(): boolean {
    return this.#length > 0 && this.#bytes[this.#length - 1] === NEW_LINE;
  }

  startOf(line: number): number | undefined {
    return this.#lineStarts[line - this.firstLine];
  }

  timeOf(line: number): number | undefined {
    return this.#lineTimes[line - this.firstLine];
  }
}

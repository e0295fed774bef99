/** Holds a stream back for as long as it may be one certain word and nothing more. */
export class WordFilter {
  readonly #word: Uint8Array;
  #held = 0;
  #open: boolean;

  constructor(word: string | undefined) {
    this.#word = new TextEncoder().encode(word);
    this.#open = word === undefined;
  }

  /** Answers what is to be let through now. */
  push(data: Uint8Array): Uint8Array {
    if (this.#open) return data;
    const end = this.#held + data.byteLength;
    const expected = this.#word.subarray(this.#held, end);
    if (end <= this.#word.byteLength && Buffer.compare(expected, data) === 0) {
      this.#held = end;
      return new Uint8Array();
    }
    this.#open = true;
    return Buffer.concat([this.#word.subarray(0, this.#held), data]);
  }

  /** Whether that word was all that came. */
  get matched(): boolean {
    return !this.#open && this.#held === this.#word.byteLength;
  }

  /** What is still held when no more can come. */
  end(): Uint8Array {
    if (this.#open) return new Uint8Array();
    this.#open = true;
    return this.#word.subarray(0, this.#held);
  }
}

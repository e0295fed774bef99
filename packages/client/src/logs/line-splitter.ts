const NEW_LINE = 0x0a;

/** A longer line comes in pieces, as in the official JavaScript SDK (reference 3.8). */
const MAX_LINE_BYTES = 64 * 1024;

/** Makes lines of bytes as they come: UTF-8, without their line ends. */
export class LineSplitter {
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #text = "";
  #bytes = 0;

  *push(chunk: Uint8Array): Generator<string> {
    for (let at = 0; at < chunk.byteLength;) {
      const newLine = chunk.indexOf(NEW_LINE, at);
      if (newLine !== at && this.#bytes >= MAX_LINE_BYTES) {
        // What the decoder holds of a character goes with the next piece.
        yield this.#text;
        this.#text = "";
        this.#bytes = 0;
      }
      const end = newLine === -1 ? chunk.byteLength : newLine;
      const taken = Math.min(end - at, MAX_LINE_BYTES - this.#bytes);
      this.#text += this.#decoder.decode(chunk.subarray(at, at + taken), { stream: true });
      this.#bytes += taken;
      at += taken;
      if (at !== newLine) continue;
      yield this.#line();
      at += 1;
    }
  }

  /** The last line when it has no end; undefined when there is none. */
  end(): string | undefined {
    const rest = this.#line();
    return rest === "" ? undefined : rest;
  }

  #line(): string {
    const line = this.#text + this.#decoder.decode();
    this.#text = "";
    this.#bytes = 0;
    return line;
  }
}

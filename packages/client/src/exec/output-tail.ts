import { decodeText } from "./output-buffer.ts";

/** Keeps the end of a stream, and counts all of it. */
export class OutputTail {
  readonly #limitBytes: number;
  readonly #chunks: Uint8Array[] = [];
  #heldBytes = 0;
  #producedBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  write(data: Uint8Array): void {
    this.#producedBytes += data.byteLength;
    // Copied: a view would hold on to all of the message that it came in.
    const chunk = data.slice(Math.max(0, data.byteLength - this.#limitBytes));
    this.#chunks.push(chunk);
    this.#heldBytes += chunk.byteLength;
    for (;;) {
      const first = this.#chunks[0];
      if (first === undefined || this.#heldBytes - first.byteLength < this.#limitBytes) return;
      this.#chunks.shift();
      this.#heldBytes -= first.byteLength;
    }
  }

  get producedBytes(): number {
    return this.#producedBytes;
  }

  get truncated(): boolean {
    return this.#producedBytes > this.#limitBytes;
  }

  bytes(): Uint8Array {
    const held = Buffer.concat(this.#chunks, this.#heldBytes);
    return new Uint8Array(held.subarray(Math.max(0, held.length - this.#limitBytes)));
  }

  text(): string {
    const bytes = this.bytes();
    let start = 0;
    // The rest of a character whose beginning was dropped.
    if (this.truncated) while (start < 3 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1;
    return decodeText(bytes.subarray(start));
  }
}

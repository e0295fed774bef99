/** Keeps the beginning of a stream, and counts all of it. */
export class OutputBuffer {
  readonly #limitBytes: number;
  readonly #chunks: Uint8Array[] = [];
  #keptBytes = 0;
  #producedBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  write(data: Uint8Array): void {
    this.#producedBytes += data.byteLength;
    const room = this.#limitBytes - this.#keptBytes;
    if (room <= 0 || data.byteLength === 0) return;
    // A cut chunk is copied: a view would hold on to all of what was cut off.
    const kept = data.byteLength <= room ? data : data.slice(0, room);
    this.#chunks.push(kept);
    this.#keptBytes += kept.byteLength;
  }

  get producedBytes(): number {
    return this.#producedBytes;
  }

  get truncated(): boolean {
    return this.#producedBytes > this.#keptBytes;
  }

  bytes(): Uint8Array {
    const all = new Uint8Array(this.#keptBytes);
    let offset = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, offset);
      offset += chunk.byteLength;
    }
    return all;
  }

  text(): string {
    return decodeText(this.bytes());
  }
}

/** UTF-8, a byte order mark kept; what is no UTF-8 becomes U+FFFD. */
export function decodeText(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

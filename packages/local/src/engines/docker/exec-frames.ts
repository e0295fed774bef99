import type { Socket } from "node:net";
import { PassThrough } from "node:stream";

const HEADER_BYTES = 8;
const STDERR = 2;

/** Sees everything first, and says what of it its reader gets. */
export interface FrameTaps {
  stdout(chunk: Buffer): Buffer;
  stderr(chunk: Buffer): Buffer;
  /** What it has held back of stderr, at the end. */
  end(): Buffer;
}

/** What a command without a terminal prints; Docker sends both streams in one, in frames. */
export class ExecFrames {
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  /** Resolves when no more can come; never rejects. */
  readonly ended: Promise<void>;

  constructor(socket: Socket, taps: FrameTaps) {
    // Nobody may be listening any more when a reader stops.
    this.stdout.on("error", () => {});
    this.stderr.on("error", () => {});
    this.ended = this.#split(socket, taps)
      .catch(() => {})
      .then(() => {
        this.stdout.end();
        if (!this.stderr.destroyed) this.stderr.end(taps.end());
      });
  }

  async #split(socket: Socket, taps: FrameTaps): Promise<void> {
    let header: Buffer = Buffer.alloc(0);
    let left = 0;
    for await (const data of socket) {
      let chunk = data as Buffer;
      while (chunk.length > 0) {
        if (left === 0) {
          const missing = HEADER_BYTES - header.length;
          header = Buffer.concat([header, chunk.subarray(0, missing)]);
          chunk = chunk.subarray(missing);
          if (header.length < HEADER_BYTES) break;
          left = header.readUInt32BE(4);
          if (left === 0) header = Buffer.alloc(0);
          continue;
        }
        const part = chunk.subarray(0, left);
        chunk = chunk.subarray(part.length);
        left -= part.length;
        const isError = header[0] === STDERR;
        if (left === 0) header = Buffer.alloc(0);
        if (isError) await pass(this.stderr, taps.stderr(part));
        else await pass(this.stdout, taps.stdout(part));
      }
    }
  }
}

/** Writes, and waits until it is read; what nobody wants is thrown away. */
export async function pass(target: PassThrough, chunk: Buffer): Promise<void> {
  if (chunk.length === 0 || target.destroyed || target.write(chunk)) return;
  await new Promise<void>((resolve) => {
    const settle = (): void => {
      target.off("drain", settle).off("close", settle);
      resolve();
    };
    target.once("drain", settle).once("close", settle);
    if (target.destroyed) settle();
  });
}

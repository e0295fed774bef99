import { Socket } from "node:net";
import type { Readable } from "node:stream";

/**
 * How long an exited process's output may stay silent before we stop waiting for its end. A
 * daemon that kept stdout open would otherwise hold the answer back for its whole life.
 */
const LINGER_MILLISECONDS = 100;

/** How long we wait for output of an exited process's daemons in all, however often some comes. */
const LINGER_ALL_MILLISECONDS = 1000;

/** What an exited process itself can have left: no pipe holds more, unless root has allowed it. */
const MAX_LEFT_BYTES = 1024 * 1024;

/** Several pipe reads join into one chunk while the reader is busy: gRPC costs per message. */
const BUFFER_BYTES = 256 * 1024;

function socketOn(fd: number): Socket {
  return new Socket({
    fd,
    readable: true,
    writable: false,
    readableHighWaterMark: BUFFER_BYTES,
  } as ConstructorParameters<typeof Socket>[0]);
}

/** Sees all bytes before their reader does, and says which ones the reader gets instead. */
export interface OutputFilter {
  push(chunk: Buffer): Buffer;
  /** What it still holds when no more can come. */
  end(): Buffer;
}

/**
 * The read end of a process's stdout or stderr. Nothing is read from the pipe beyond one buffer
 * unless somebody asks, so a slow reader stops the writer and not our memory.
 */
export class OutputPipe {
  readonly #socket: Readable;
  #exited = false;
  /** Of what came after the exit; only time in which there was nothing to read counts. */
  #lingeredMilliseconds = 0;
  #lingeredBytes = 0;
  #wake: (() => void) | undefined;
  #filter: OutputFilter | undefined;

  /**
   * `source` is the read end of a pipe whose write end is open already, or a stream; it is closed
   * with this. `exited` may stay pending where the stream's own end is all that counts.
   */
  constructor(source: number | Readable, exited: Promise<unknown>) {
    this.#socket = typeof source === "number" ? socketOn(source) : source;
    const wake = (): void => this.#wake?.();
    this.#socket.on("readable", wake).on("end", wake).on("close", wake).on("error", wake);
    void exited.then(() => {
      this.#exited = true;
      this.#wake?.();
    });
  }

  /** Call before the first read. */
  filterWith(filter: OutputFilter): void {
    this.#filter = filter;
  }

  /** The next bytes; undefined at the end. One call at a time. */
  async read(): Promise<Buffer | undefined> {
    for (;;) {
      const chunk = await this.#next();
      if (this.#filter === undefined) return chunk;
      const passed = chunk === undefined ? this.#filter.end() : this.#filter.push(chunk);
      if (chunk === undefined) this.#filter = undefined;
      if (passed.length > 0) return passed;
      if (chunk === undefined) return undefined;
    }
  }

  async #next(): Promise<Buffer | undefined> {
    let silent = false;
    for (;;) {
      const chunk = this.#socket.read() as Buffer | null;
      if (chunk !== null && this.#isStillItsOwn(chunk)) return chunk;
      if (this.#socket.readableEnded || this.#socket.destroyed) return undefined;
      if (silent) {
        this.close();
        return undefined;
      }
      silent = await this.#change();
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  /** False, and the end, when only something that outlived the process can have written this. */
  #isStillItsOwn(chunk: Buffer): boolean {
    if (!this.#exited) return true;
    const isOwn = this.#lingeredBytes < MAX_LEFT_BYTES + BUFFER_BYTES;
    this.#lingeredBytes += chunk.length;
    if (!isOwn) this.close();
    return isOwn;
  }

  /** Waits for news; true when the process had exited and nothing more came. */
  #change(): Promise<boolean> {
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const since = performance.now();
      const settle = (silent: boolean): void => {
        clearTimeout(timer);
        if (timer !== undefined) this.#lingeredMilliseconds += performance.now() - since;
        this.#wake = undefined;
        resolve(silent);
      };
      if (this.#exited) {
        // After a blocked event loop the timer fires before the pipe was looked at: one more turn.
        const left = Math.max(0, LINGER_ALL_MILLISECONDS - this.#lingeredMilliseconds);
        const wait = Math.min(LINGER_MILLISECONDS, left);
        timer = setTimeout(() => setImmediate(settle, true), wait);
      }
      this.#wake = () => settle(false);
    });
  }
}

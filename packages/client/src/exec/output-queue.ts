import { ReadableStream, type ReadableStreamDefaultController } from "node:stream/web";

/** As much as a pipe and its two ends hold; the rest waits in the sandbox. */
const QUEUED_BYTES = 256 * 1024;

export interface OutputQueueOptions {
  /** Reads as empty, and takes everything at once. */
  readonly discards?: boolean;
  readonly onFirstRead?: (() => void) | undefined;
  /** When the reader leaves: from then on everything is thrown away. */
  readonly onCancel?: ((reason: unknown) => void) | undefined;
}

/**
 * One stream of a command, between the wire and its reader. Takes what came before an end or a
 * failure to the reader first.
 */
export class OutputQueue {
  readonly readable: ReadableStream<Uint8Array>;
  readonly #chunks: Uint8Array[] = [];
  #queuedBytes = 0;
  #asked: ReadableStreamDefaultController<Uint8Array> | undefined;
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;
  #discards: boolean;
  #end: { readonly error?: unknown } | undefined;

  constructor({ discards = false, onFirstRead, onCancel }: OutputQueueOptions = {}) {
    this.#discards = discards;
    this.readable = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          if (discards) controller.close();
        },
        pull: (controller) => {
          const first = onFirstRead;
          onFirstRead = undefined;
          first?.();
          return this.#pull(controller);
        },
        cancel: (reason) => {
          onCancel?.(reason);
          this.#discards = true;
          this.#chunks.length = 0;
          this.#wakeWriter?.();
        },
      },
      // Nothing ahead of the reader in there: what an error finds in that queue, it throws away.
      { highWaterMark: 0 },
    );
  }

  /** Waits, when it has a promise to answer, until there is room. One call at a time. */
  push(data: Uint8Array): Promise<void> | undefined {
    if (this.#discards || data.byteLength === 0) return undefined;
    this.#chunks.push(data);
    this.#queuedBytes += data.byteLength;
    this.#deliver();
    if (this.#queuedBytes < QUEUED_BYTES) return undefined;
    return new Promise((resolve) => {
      this.#wakeWriter = resolve;
    });
  }

  end(): void {
    this.#finish({});
  }

  fail(error: unknown): void {
    this.#finish({ error });
  }

  #finish(end: { readonly error?: unknown }): void {
    if (this.#discards) return;
    this.#end ??= end;
    this.#deliver();
  }

  #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    this.#asked = controller;
    const answered = new Promise<void>((resolve) => {
      this.#wakeReader = resolve;
    });
    this.#deliver();
    return answered;
  }

  /** To a reader that waits, the next of what is there. */
  #deliver(): void {
    const controller = this.#asked;
    if (controller === undefined || this.#discards) return;
    const chunk = this.#chunks.shift();
    if (chunk === undefined && this.#end === undefined) return;
    this.#asked = undefined;
    if (chunk !== undefined) {
      this.#queuedBytes -= chunk.byteLength;
      controller.enqueue(chunk);
      if (this.#queuedBytes < QUEUED_BYTES) this.#wakeWriter?.();
    } else if (this.#end !== undefined && "error" in this.#end) {
      controller.error(this.#end.error);
    } else {
      controller.close();
    }
    this.#wakeReader?.();
  }
}

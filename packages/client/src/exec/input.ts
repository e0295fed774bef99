import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type ExecStreamRequest,
  ExecStreamRequestSchema,
  STDIN_FRAME_BYTES,
  STREAMED_FRAME_BYTES,
} from "@tidybox/protocol";
import { TidyboxError } from "../errors/tidybox-error.ts";

/** What follows a command on its stream, once the service is ready for it. */
export interface CommandInput {
  /** Asked for again where a try has never left this machine. */
  messages(): AsyncIterable<ExecStreamRequest>;
}

type Message = NonNullable<MessageInitShape<typeof ExecStreamRequestSchema>["message"]>;

/** All of it at once, then its end. */
export function wholeInput(bytes: Uint8Array): CommandInput {
  return {
    async *messages() {
      for (const value of framesOf(bytes)) yield request({ case: "stdin", value });
      yield request({ case: "close", value: {} });
    },
  };
}

/**
 * From somewhere else, piece by piece, and only as fast as the wire takes it. Small pieces are joined:
 * each message costs more than its bytes, and nobody waits for the first piece of a file.
 */
export class StreamedInput implements CommandInput {
  readonly #iterator: AsyncIterator<string | Uint8Array>;
  readonly #failed = new AbortController();
  #sentBytes = 0;

  constructor(source: AsyncIterable<string | Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Aborts with what the source has thrown: a stream that just ended would look whole. */
  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  async *messages(): AsyncGenerator<ExecStreamRequest> {
    try {
      for await (const frame of this.#frames()) {
        yield request({ case: "stdin", value: frame });
        this.#sentBytes += frame.byteLength;
      }
    } catch (error) {
      this.#failed.abort(error);
      throw error;
    }
    yield request({ case: "close", value: {} });
  }

  async *#frames(): AsyncGenerator<Uint8Array> {
    let pieces: Uint8Array[] = [];
    let sizeBytes = 0;
    for (;;) {
      const { done, value } = await this.#iterator.next();
      if (done !== true) {
        const bytes = bytesOf(value);
        pieces.push(bytes);
        sizeBytes += bytes.byteLength;
        if (sizeBytes < STREAMED_FRAME_BYTES) continue;
      }
      const joined = pieces.length === 1 ? pieces[0] : Buffer.concat(pieces, sizeBytes);
      pieces = [];
      sizeBytes = 0;
      if (joined !== undefined) yield* framesOf(joined, STREAMED_FRAME_BYTES);
      if (done === true) return;
    }
  }

  /** Lets go of the source, read to its end or not. */
  async close(): Promise<void> {
    await Promise.resolve(this.#iterator.return?.()).catch(() => {});
  }
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

interface Pending {
  readonly message: ExecStreamRequest;
  readonly passedOn?: { readonly resolve: () => void; readonly reject: (reason: unknown) => void };
}

/** As it comes. Whoever writes waits until the wire has taken it: nothing is kept here. */
export class LiveInput implements CommandInput {
  readonly #queue: Pending[] = [];
  #onTheWay: Pending | undefined;
  #wake: (() => void) | undefined;
  #ended = false;
  #closedBecause: Error | undefined;

  /** @throws the reason that it was closed with, also for what it was closed under */
  async write(data: string | Uint8Array): Promise<void> {
    if (this.#closedBecause !== undefined) throw this.#closedBecause;
    if (this.#ended) {
      throw new TidyboxError({
        code: "input_ended",
        message: "The command's input was ended before.",
      });
    }
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    await Promise.all(framesOf(bytes).map((value) => this.#pass({ case: "stdin", value })));
  }

  async end(): Promise<void> {
    if (this.#ended || this.#closedBecause !== undefined) return;
    this.#ended = true;
    await this.#pass({ case: "close", value: {} });
  }

  resize({ columns, rows }: TerminalSize): void {
    if (this.#closedBecause !== undefined || this.#ended) return;
    const value = { width: columns, height: rows };
    this.#enqueue({ message: request({ case: "resize", value }) });
  }

  /** The command takes no more. */
  close(because: Error): void {
    if (this.#closedBecause !== undefined) return;
    this.#closedBecause = because;
    for (const pending of [this.#onTheWay, ...this.#queue]) pending?.passedOn?.reject(because);
    this.#queue.length = 0;
    this.#wake?.();
  }

  async *messages(): AsyncGenerator<ExecStreamRequest> {
    for (;;) {
      const next = this.#queue.shift();
      if (next !== undefined) {
        this.#onTheWay = next;
        yield next.message;
        this.#onTheWay = undefined;
        next.passedOn?.resolve();
      } else if (this.#ended || this.#closedBecause !== undefined) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  #pass(message: Message): Promise<void> {
    if (this.#closedBecause !== undefined) return Promise.reject(this.#closedBecause);
    return new Promise((resolve, reject) => {
      this.#enqueue({ message: request(message), passedOn: { resolve, reject } });
    });
  }

  #enqueue(pending: Pending): void {
    this.#queue.push(pending);
    this.#wake?.();
  }
}

function bytesOf(value: unknown): Uint8Array {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  if (bytes instanceof Uint8Array) return bytes;
  throw new TypeError(`the stream gave ${typeof value}, and not text or bytes (Uint8Array)`);
}

function framesOf(bytes: Uint8Array, sizeBytes = STDIN_FRAME_BYTES): readonly Uint8Array[] {
  const count = Math.ceil(bytes.byteLength / sizeBytes);
  return Array.from({ length: count }, (_, index) =>
    bytes.subarray(index * sizeBytes, (index + 1) * sizeBytes),
  );
}

function request(message: Message): ExecStreamRequest {
  return create(ExecStreamRequestSchema, { message });
}

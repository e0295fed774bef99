import { atCallSite } from "../errors/call-site.ts";
import { decodeText } from "../exec/output-buffer.ts";
import type { SandboxHandle } from "../sandbox/handle.ts";
import { leavable } from "./leavable.ts";
import { LineSplitter } from "./line-splitter.ts";
import { type LogOptions, checkLogOptions, toLogWindow } from "./options.ts";
import { readLog } from "./read-log.ts";

/**
 * The log of a sandbox: what its main process prints, never what commands print. Asks when it is
 * read; each reading begins anew.
 *
 * A connection that breaks is resumed without a lost or a doubled byte. Readings throw
 * `LogInterruptedError` when that cannot be, `SandboxClosedError` when the sandbox is stopping or has
 * ended (the service gives out no log then; a log that is followed already comes to its end), and
 * `NotFoundError`, `UnavailableError`, `AuthenticationError`.
 */
export class SandboxLogs implements AsyncIterable<string> {
  readonly #handle: SandboxHandle;
  readonly #options: LogOptions;

  /** @throws ConfigurationError for a wrong option */
  constructor(handle: SandboxHandle, options: LogOptions) {
    checkLogOptions(options);
    this.#handle = handle;
    this.#options = options;
  }

  /**
   * Line by line, as UTF-8 and without line ends; a last line that has none comes at the end. A line
   * of more than 64 KiB comes in pieces.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<string, void, undefined> {
    return leavable((left) => this.#lines(left));
  }

  /** The very bytes. Read at the reader's pace; cancelling it ends the reading. */
  bytes(): ReadableStream<Uint8Array> {
    const chunks = leavable((left) => this.#chunks(left));
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const { done, value } = await chunks.next();
          if (done === true) controller.close();
          else controller.enqueue(value);
        },
        cancel: async () => {
          await chunks.return?.();
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** All of it, as UTF-8; with `follow` when the main process has ended. */
  text(): Promise<string> {
    return atCallSite(this.text, async () => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of leavable((left) => this.#chunks(left))) chunks.push(chunk);
      return decodeText(Buffer.concat(chunks));
    });
  }

  async *#lines(left: AbortSignal): AsyncGenerator<string, void, undefined> {
    const splitter = new LineSplitter();
    for await (const chunk of this.#chunks(left)) yield* splitter.push(chunk);
    const rest = splitter.end();
    if (rest !== undefined) yield rest;
  }

  async *#chunks(left: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    this.#handle.throwIfClosed();
    const signals = [left, this.#handle.closedSignal, this.#options.signal];
    const signal = AbortSignal.any(signals.filter((each) => each !== undefined));
    signal.throwIfAborted();
    yield* readLog(this.#handle, toLogWindow(this.#options), signal);
  }
}

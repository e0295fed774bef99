import { type ReadableStream, WritableStream } from "node:stream/web";
import { ConfigurationError } from "../errors/request-errors.ts";
import type { LiveInput, TerminalSize } from "./input.ts";

/** What {@link SandboxProcess} is made of. */
export interface ProcessParts {
  readonly command: readonly string[];
  readonly stdin: LiveInput | undefined;
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  readonly exitCode: Promise<number>;
  readonly kill: () => void;
  readonly resize: ((size: TerminalSize) => void) | undefined;
}

/**
 * A command that runs in a sandbox. `await using` kills what still runs when its block is left.
 *
 * Its output is read from the sandbox only as fast as it is read here. Both streams come over one
 * connection: when one of them is piped and nobody reads it, 256 KiB of it hold the other one up as
 * well, and the command, and `exitCode`. Read both at the same time, or say `"ignore"`. To cancel a
 * stream (as leaving a `for await` over it does) is to ignore the rest.
 */
export class SandboxProcess implements AsyncDisposable {
  readonly command: readonly string[];
  /** Undefined unless it was started with `stdin: "pipe"`. Closing it ends the command's input. */
  readonly stdin: WritableStream<string | Uint8Array> | undefined;
  /** Of a terminal, all that it shows. Empty when ignored. */
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  /**
   * 0 to 255; 128 + n after signal n, and 137 after {@link SandboxProcess.kill}. Rejects when the
   * end is not known: the reason of `signal`, CommandTimeoutError, UnavailableError for a broken
   * connection, FileError for a wrong `cwd`. Not asking for it is safe.
   */
  readonly exitCode: Promise<number>;
  readonly #parts: ProcessParts;

  /** Use `Sandbox.spawn`. */
  constructor(parts: ProcessParts) {
    this.#parts = parts;
    this.command = parts.command;
    this.stdout = parts.stdout;
    this.stderr = parts.stderr;
    this.exitCode = parts.exitCode;
    const { stdin } = parts;
    this.stdin =
      stdin &&
      new WritableStream<string | Uint8Array>({
        start: (controller) => {
          const ended = (): Promise<void> =>
            stdin.write("").then(
              () => {},
              (error: unknown) => controller.error(error),
            );
          parts.exitCode.then(ended, ended);
        },
        write: (data) => stdin.write(data),
        close: () => stdin.end(),
        abort: () => stdin.end(),
      });
  }

  /**
   * Resolves when it is on its way, which a command that does not read holds up: await it.
   *
   * @throws TidyboxError with code `"command_ended"` when the command is over
   */
  async write(data: string | Uint8Array): Promise<void> {
    await this.#input().write(data);
  }

  /** Ends the command's input: Ctrl+D in a terminal. No kill. Safe to call twice. */
  async end(data?: string | Uint8Array): Promise<void> {
    const input = this.#input();
    if (data !== undefined) await input.write(data);
    await input.end();
  }

  /** All of a stream as UTF-8. */
  async text(stream: "stdout" | "stderr" = "stdout"): Promise<string> {
    let text = "";
    for await (const part of decoded(this[stream])) text += part;
    return text;
  }

  /** A stream line by line as UTF-8, without the line ends. A last line needs none. */
  async *lines(stream: "stdout" | "stderr" = "stdout"): AsyncGenerator<string, void, undefined> {
    let rest = "";
    for await (const part of decoded(this[stream])) {
      const lines = part.split("\n");
      lines[0] = rest + (lines[0] ?? "");
      rest = lines.pop() ?? "";
      for (const line of lines) yield line.endsWith("\r") ? line.slice(0, -1) : line;
    }
    if (rest !== "") yield rest;
  }

  /** @throws ConfigurationError for a command without a terminal */
  resize(size: TerminalSize): void {
    if (this.#parts.resize === undefined) {
      throw new ConfigurationError({
        message: `${this.command[0]} has no terminal to resize.`,
        advice: "Start it with the option tty.",
      });
    }
    this.#parts.resize(size);
  }

  /**
   * Ends the command's processes, by cancelling the stream that they are on: the service kills them
   * then. Resolves when that was sent and nothing more comes. Safe to call twice, and after the end.
   */
  async kill(): Promise<void> {
    this.#parts.kill();
    await this.exitCode.catch(() => {});
  }

  /** For `console.log`: streams and promises say nothing there. */
  [Symbol.for("nodejs.util.inspect.custom")](
    _depth: number,
    options: object,
    inspect: (value: unknown, options: object) => string,
  ): string {
    return `SandboxProcess ${inspect({ command: this.command }, options)}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #input(): LiveInput {
    if (this.#parts.stdin !== undefined) return this.#parts.stdin;
    throw new ConfigurationError({
      message: `${this.command[0]} has no input to write to.`,
      advice: 'Start it with stdin: "pipe".',
    });
  }
}

async function* decoded(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for await (const data of stream) yield decoder.decode(data, { stream: true });
  yield decoder.decode();
}

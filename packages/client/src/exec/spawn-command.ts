import { Deadline } from "../connection/deadline.ts";
import { abortable } from "../connection/waiting.ts";
import { TidyboxError } from "../errors/tidybox-error.ts";
import {
  checkCommand,
  checkContainer,
  checkInteger,
  checkNames,
  checkSeconds,
  checkText,
  checkEnvironment,
} from "../options/checks.ts";
import { invalidOption } from "../options/invalid-option.ts";
import type { SandboxHandle } from "../sandbox/handle.ts";
import { inDirectory, showCommand } from "./command-line.ts";
import { LiveInput, type TerminalSize } from "./input.ts";
import { CommandRecord } from "./observed-command.ts";
import { missedDirectoryError, partialResult, timeoutError } from "./outcome.ts";
import { OutputQueue } from "./output-queue.ts";
import { OutputTail } from "./output-tail.ts";
import { printedShort } from "./printed-result.ts";
import { SandboxProcess } from "./sandbox-process.ts";
import type { SpawnOptions } from "./spawn-options.ts";
import { runStream } from "./stream.ts";
import { WordFilter } from "./word-filter.ts";

/** Kept of each stream, for timeouts and for whoever observes the sandbox. */
const TAIL_BYTES = 64 * 1024;

/** What a shell says after SIGKILL, which is what a cancelled command gets. */
const KILLED_EXIT_CODE = 137;

/** The kernel has 16 bits for it. */
const MAX_TERMINAL_SIDE = 0xffff;
const DEFAULT_TERMINAL: TerminalSize = { columns: 80, rows: 24 };

const KNOWN_OPTIONS: Readonly<Record<keyof SpawnOptions, true>> = {
  container: true,
  cwd: true,
  env: true,
  timeoutSeconds: true,
  signal: true,
  stdin: true,
  stdout: true,
  stderr: true,
  tty: true,
};

/** Starts a command, and resolves once the service says that it is under way. */
export async function spawnCommand(
  handle: SandboxHandle,
  command: readonly string[],
  options: SpawnOptions,
): Promise<SandboxProcess> {
  checkOptions(command, options);
  handle.throwIfUnusable();
  options.signal?.throwIfAborted();
  const terminal = options.tty === true ? DEFAULT_TERMINAL : options.tty || undefined;
  const stdin = options.stdin ?? "ignore";
  const running = new RunningCommand(handle, [...command], options, terminal);
  const exitCode = running.run(
    // A terminal is never at its end, typed into or not, and may change its size.
    stdin === "pipe" || terminal !== undefined ? running.input : undefined,
  );
  // Whoever wants to know asks; others are not ended by it.
  exitCode.catch(() => {});
  await Promise.race([running.ready, exitCode]);
  return new SandboxProcess({
    command: running.record.command,
    stdin: stdin === "pipe" ? running.input : undefined,
    stdout: running.stdout.readable,
    stderr: running.stderr.readable,
    exitCode,
    kill: () => running.kill(),
    resize: terminal && ((size) => running.input.resize(checkTerminalSize(size, "resize()"))),
  });
}

/** One command from its start to its end. */
class RunningCommand {
  readonly record: CommandRecord;
  readonly input = new LiveInput();
  readonly stdout: OutputQueue;
  readonly stderr: OutputQueue;
  readonly ready: Promise<void>;
  readonly #handle: SandboxHandle;
  readonly #options: SpawnOptions;
  readonly #terminal: TerminalSize | undefined;
  readonly #tails = { stdout: new OutputTail(TAIL_BYTES), stderr: new OutputTail(TAIL_BYTES) };
  readonly #killed = new AbortController();
  #isReady: () => void = () => {};

  constructor(
    handle: SandboxHandle,
    command: readonly string[],
    options: SpawnOptions,
    terminal: TerminalSize | undefined,
  ) {
    this.#handle = handle;
    this.#options = options;
    this.#terminal = terminal;
    this.stdout = new OutputQueue({ discards: options.stdout === "ignore" });
    this.stderr = new OutputQueue({ discards: options.stderr === "ignore" });
    this.record = new CommandRecord(command, options.cwd, partialResult(command, this.#tails));
    this.ready = new Promise((resolve) => {
      this.#isReady = resolve;
    });
  }

  /** Cancels the stream: the wire has no signals, and the service kills what was cancelled. */
  kill(): void {
    this.#killed.abort(new Error("the command was killed"));
  }

  /** To its end. Settles once, and the streams with it. */
  async run(input: LiveInput | undefined): Promise<number> {
    const { record } = this;
    this.#handle.noteCommand(record);
    try {
      const exitCode = await this.#stream(input).catch((error: unknown) => {
        if (error !== this.#killed.signal.reason) throw error;
        return KILLED_EXIT_CODE;
      });
      record.result = printedShort({ ...record.soFar(), exitCode });
      this.stdout.end();
      this.stderr.end();
      return exitCode;
    } catch (error) {
      record.error = error;
      this.stdout.fail(error);
      this.stderr.fail(error);
      throw error;
    } finally {
      this.input.close(this.#endedError());
    }
  }

  async #stream(input: LiveInput | undefined): Promise<number> {
    const {
      container,
      cwd,
      env,
      timeoutSeconds = Number.POSITIVE_INFINITY,
      signal,
    } = this.#options;
    const { command, soFar } = this.record;
    const { id, closedSignal } = this.#handle;
    using deadline = new Deadline(timeoutSeconds, [signal, closedSignal, this.#killed.signal], () =>
      timeoutError(id, timeoutSeconds, soFar()),
    );
    const { argv, missedDirectory, missedWord = "" } = inDirectory(command, cwd);
    // In a terminal the word, too, is on the one stream that there is.
    const filtered = this.#terminal === undefined ? "stderr" : "stdout";
    const filter = new WordFilter(cwd === undefined ? undefined : missedWord);
    const take = (name: "stdout" | "stderr", data: Uint8Array): Promise<void> | void => {
      const passed = name === filtered ? filter.push(data) : data;
      this.#tails[name].write(passed);
      const room = this[name].push(passed);
      return room && abortable(room, deadline.signal);
    };
    const exitCode = await runStream(
      this.#handle,
      {
        action: `run ${showCommand(command)}`,
        command: argv,
        container,
        env,
        input,
        terminal: this.#terminal,
        signal: deadline.signal,
      },
      {
        ready: () => this.#isReady(),
        stdout: (data) => take("stdout", data),
        stderr: (data) => take("stderr", data),
      },
    );
    if (cwd !== undefined && filter.matched && missedDirectory(exitCode, missedWord)) {
      throw missedDirectoryError(id, command, cwd);
    }
    const held = filter.end();
    this.#tails[filtered].write(held);
    void this[filtered].push(held);
    return exitCode;
  }

  #endedError(): TidyboxError {
    return new TidyboxError({
      code: "command_ended",
      message: `The command has ended and takes no more input (sandbox ${this.#handle.id}): ${showCommand(this.record.command)}`,
      sandboxId: this.#handle.id,
    });
  }
}

export function checkTerminalSize(size: TerminalSize, option: string): TerminalSize {
  checkInteger(size.columns, `${option}.columns`, 1, MAX_TERMINAL_SIDE);
  checkInteger(size.rows, `${option}.rows`, 1, MAX_TERMINAL_SIDE);
  return size;
}

function checkOptions(command: readonly string[], options: SpawnOptions): void {
  const { cwd, env, timeoutSeconds, tty } = options;
  checkNames(options, KNOWN_OPTIONS, "spawn()");
  checkCommand(command, "command");
  checkContainer(options);
  if (cwd !== undefined) checkText(cwd, "cwd");
  if (env !== undefined) checkEnvironment(env, "env");
  if (timeoutSeconds !== undefined) checkSeconds(timeoutSeconds, "timeoutSeconds");
  for (const name of ["stdin", "stdout", "stderr"] as const) {
    const value: unknown = options[name];
    if (value !== undefined && value !== "pipe" && value !== "ignore") {
      throw invalidOption(name, `must be "pipe" or "ignore", not ${JSON.stringify(value)}`);
    }
  }
  if (typeof tty === "object") checkTerminalSize(tty, "tty");
}

import { create } from "@bufbuild/protobuf";
import {
  EXEC_READY_TIMEOUT_SECONDS,
  ExecStreamErrorCode,
  ExecStreamOutput_Stream,
  type ExecStreamRequest,
  ExecStreamRequestSchema,
  type ExecStreamResponse,
} from "@tidybox/protocol";
import { withRetries } from "../connection/call.ts";
import { settlesWithin, timerDelayMs } from "../connection/waiting.ts";
import { TimeoutError } from "../errors/request-errors.ts";
import { TidyboxError } from "../errors/tidybox-error.ts";
import type { SandboxHandle } from "../sandbox/handle.ts";
import type { CommandInput, TerminalSize } from "./input.ts";

export interface StreamedCommand {
  readonly action: string;
  readonly command: readonly string[];
  /** Default: the primary one. */
  readonly container?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly input?: CommandInput | undefined;
  readonly terminal?: TerminalSize | undefined;
  readonly path?: string | undefined;
  /** Ends the stream, and with it, as well as the service can, the process. */
  readonly signal: AbortSignal;
}

/** Takes the output as it comes. The service, and so the command, waits for what it answers. */
export interface OutputSinks {
  readonly stdout: (data: Uint8Array) => Promise<void> | void;
  readonly stderr: (data: Uint8Array) => Promise<void> | void;
  readonly ready?: () => void;
}

/** After the exit only the end of the stream is left to come. */
const TRAILER_SECONDS = 1;

/**
 * Runs a command over StreamExec (reference 3.7) and answers its exit status. Sent once: only what
 * never left this machine is tried again.
 *
 * @throws the signal's reason when it aborts
 */
export async function runStream(
  handle: SandboxHandle,
  command: StreamedCommand,
  sinks: OutputSinks,
): Promise<number> {
  const { connection, id } = handle;
  const { action, path, signal } = command;
  let begun = false;
  const onBegin = () => (begun = true);
  try {
    return await withRetries(
      connection,
      { action, path, sandboxId: id },
      { retry: "unsent", signal, begun: () => begun },
      () => runOnce(handle, command, sinks, onBegin),
    );
  } catch (error) {
    if (signal.aborted || !handle.stopping) throw error;
    throw handle.closedError(error);
  }
}

async function runOnce(
  { connection, id }: SandboxHandle,
  { command, container = "", env, input, terminal, signal }: StreamedCommand,
  sinks: OutputSinks,
  onBegin: () => void,
): Promise<number> {
  const ended = new AbortController();
  const request = new CommandRequest(
    create(ExecStreamRequestSchema, {
      message: {
        case: "init",
        value: {
          sandboxId: id,
          command: [...command],
          container,
          env: { ...env },
          ...(terminal && { tty: true, ttyWidth: terminal.columns, ttyHeight: terminal.rows }),
        },
      },
    }),
    input,
  );
  const notReady = new AbortController();
  const timer =
    input === undefined && sinks.ready === undefined
      ? undefined
      : setTimeout(
          () => notReady.abort(notReadyError(id)),
          timerDelayMs(EXEC_READY_TIMEOUT_SECONDS),
        );
  try {
    const ends = AbortSignal.any([signal, notReady.signal, ended.signal]);
    const call = connection.client.streamExec(request, { signal: ends });
    const responses = call[Symbol.asyncIterator]();
    for (;;) {
      const next = await responses.next();
      if (next.done === true) throw endedEarly(id);
      connection.noteAnswer();
      onBegin();
      const { message } = next.value;
      if (message.case === "ready") {
        clearTimeout(timer);
        request.begin();
        sinks.ready?.();
      } else if (message.case === "output") {
        const { stream, data } = message.value;
        const isStderr = terminal === undefined && stream === ExecStreamOutput_Stream.STDERR;
        const taken = (isStderr ? sinks.stderr : sinks.stdout)(data);
        if (taken !== undefined) await taken;
      } else if (message.case === "exit") {
        void closeBehind(responses, request, ended);
        return message.value.exitCode;
      } else if (message.case === "error") {
        void closeBehind(responses, request, ended);
        throw streamError(id, message.value.message, message.value.code);
      }
    }
  } catch (error) {
    // Also when a sink has thrown: the process must not go on writing for nobody.
    ended.abort(error);
    // Refused before it was ready for input: our half would stay open, and keep the process alive.
    request.giveUp();
    if (notReady.signal.aborted && !signal.aborted) throw notReady.signal.reason;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Our half of the stream: the command, then its input once the service is ready for it. */
class CommandRequest implements AsyncIterable<ExecStreamRequest> {
  readonly #init: ExecStreamRequest;
  readonly #input: CommandInput | undefined;
  readonly #ready: Promise<boolean>;
  #settle: (ready: boolean) => void = () => {};
  sentAll = false;

  constructor(init: ExecStreamRequest, input: CommandInput | undefined) {
    this.#init = init;
    this.#input = input;
    this.#ready = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  begin(): void {
    this.#settle(true);
  }

  /** Nobody will be ready for it. */
  giveUp(): void {
    this.#settle(false);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ExecStreamRequest> {
    const first = this.#init;
    yield first;
    if (this.#input !== undefined) {
      if (!(await this.#ready)) return;
      yield* this.#input.messages();
    }
    this.sentAll = true;
  }
}

/** Reads the end of the stream, so that it closes in order; input that nobody reads is cancelled. */
async function closeBehind(
  responses: AsyncIterator<ExecStreamResponse>,
  request: CommandRequest,
  ended: AbortController,
): Promise<void> {
  if (request.sentAll) await settlesWithin(responses.next(), TRAILER_SECONDS);
  ended.abort(new Error("the command has ended"));
}

function notReadyError(sandboxId: string): TimeoutError {
  return new TimeoutError({
    message: `Sandbox ${sandboxId} was not ready for a command within ${EXEC_READY_TIMEOUT_SECONDS} s.`,
    sandboxId,
  });
}

function endedEarly(sandboxId: string): TidyboxError {
  return new TidyboxError({
    code: "stream_broken",
    message: `The service ended a command in sandbox ${sandboxId} without its exit status.`,
    advice: "What the command did is not known; the sandbox may have been stopped under it.",
    sandboxId,
  });
}

const STREAM_CODE_WORDS: Readonly<Record<string, string>> = {
  [ExecStreamErrorCode.STREAM_BACKPRESSURE]: "output came faster than it was read, and was cut",
  [ExecStreamErrorCode.STREAM_TRUNCATED]: "the command ended, but output was lost on the way",
};

function streamError(sandboxId: string, message: string, code: string): TidyboxError {
  const words = [STREAM_CODE_WORDS[code], message, code].filter(
    (each) => each !== undefined && each !== "",
  );
  return new TidyboxError({
    code: "stream_broken",
    reason: code,
    message: `The service broke a command in sandbox ${sandboxId} off: ${words.join("; ")}.`,
    sandboxId,
  });
}

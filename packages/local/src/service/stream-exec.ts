import type { Writable } from "node:stream";
import { create } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import {
  type ExecStreamInit,
  ExecStreamOutput_Stream,
  type ExecStreamRequest,
  type ExecStreamResponse,
  ExecStreamResponseSchema,
} from "@tidybox/protocol";
import type { EngineSandbox } from "../engines/engine.ts";
import type { OutputPipe } from "../spawner/output-pipe.ts";
import type { ProcessEnd } from "../spawner/process-end.ts";
import { checkCommand } from "./command.ts";
import { givenUp, invalidArgument, notImplemented } from "./failures.ts";
import type { Sandboxes } from "./sandboxes.ts";
import { feedStandardInput, firstInput } from "./standard-input.ts";

/** Of a terminal whose client does not say. */
const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;

/**
 * Runs a command with live streams, in the order of reference 3.7: `ready`, any `output`, then
 * `exit` as the last message. Output is read only as fast as the client takes it.
 */
export async function* streamExec(
  sandboxes: Sandboxes,
  requests: AsyncIterable<ExecStreamRequest>,
  context: HandlerContext,
): AsyncGenerator<ExecStreamResponse> {
  const messages = requests[Symbol.asyncIterator]();
  const init = await firstMessage(messages);
  checkCommand(init.command, init.env, "init.");
  const sandbox = await sandboxes.running(init.sandboxId, init.container, context.signal);
  const process = init.tty
    ? await openTerminal(sandbox, init, messages)
    : await startProcess(sandbox, init, messages);
  const kill = (): void => process.kill();
  if (context.signal.aborted) kill();
  context.signal.addEventListener("abort", kill, { once: true });
  let ended = false;
  try {
    yield response({ case: "ready", value: { readyTime: timestampNow() } });
    process.feed();
    yield* output(process.outputs);
    const { exitCode } = await process.exited;
    ended = true;
    // The exit code of what was killed for it would look like an answer.
    if (context.signal.aborted) throw givenUp(context.signal);
    yield response({ case: "exit", value: { exitCode, completedTime: timestampNow() } });
  } finally {
    context.signal.removeEventListener("abort", kill);
    if (!ended) kill();
    process.stdin?.destroy();
    for (const [, pipe] of process.outputs) pipe.close();
  }
}

type Output = readonly [stream: ExecStreamOutput_Stream, pipe: OutputPipe];

/** A command with or without a terminal. */
interface StreamedProcess {
  readonly stdin: Writable | undefined;
  readonly outputs: readonly Output[];
  readonly exited: Promise<ProcessEnd>;
  /** Begins to pass input on. */
  feed(): void;
  kill(): void;
}

async function startProcess(
  sandbox: EngineSandbox,
  { command, env }: ExecStreamInit,
  messages: AsyncIterator<ExecStreamRequest>,
): Promise<StreamedProcess> {
  const input = await firstInput(messages);
  const process = await sandbox.exec({
    argv: command,
    environment: env,
    wantsInput: input !== "none",
  });
  return {
    stdin: process.stdin,
    outputs: [
      [ExecStreamOutput_Stream.STDOUT, process.stdout],
      [ExecStreamOutput_Stream.STDERR, process.stderr],
    ],
    exited: process.exited,
    feed: () => {
      if (input !== "none") void feedStandardInput(input, process.stdin);
    },
    kill: () => process.kill(),
  };
}

async function openTerminal(
  sandbox: EngineSandbox,
  { command, env, ttyWidth, ttyHeight }: ExecStreamInit,
  messages: AsyncIterator<ExecStreamRequest>,
): Promise<StreamedProcess> {
  const missing = sandbox.terminalsMissing;
  if (missing !== undefined) {
    throw notImplemented(
      `the local service has no terminals on this machine (${missing}): run the command without tty, its output is streamed too`,
    );
  }
  const terminal = await sandbox.terminal({
    argv: command,
    environment: env,
    columns: sideOf(ttyWidth) ?? DEFAULT_COLUMNS,
    rows: sideOf(ttyHeight) ?? DEFAULT_ROWS,
  });
  return {
    stdin: terminal.stdin,
    outputs: [[ExecStreamOutput_Stream.STDOUT, terminal.output]],
    exited: terminal.exited,
    feed: () =>
      void feedStandardInput(messages, terminal.stdin, async ({ width, height }) => {
        const [columns, rows] = [sideOf(width), sideOf(height)];
        if (columns !== undefined && rows !== undefined) await terminal.resize({ columns, rows });
      }),
    kill: () => terminal.kill(),
  };
}

/** Undefined where it is not given. The kernel has 16 bits for it. */
function sideOf(characters: number): number | undefined {
  return characters === 0 ? undefined : Math.min(characters, 0xffff);
}

async function firstMessage(messages: AsyncIterator<ExecStreamRequest>): Promise<ExecStreamInit> {
  const { done, value } = await messages.next();
  if (done !== true && value.message.case === "init") return value.message.value;
  throw invalidArgument([
    { field: "init", description: "must be the first message of the stream" },
  ]);
}

/**
 * All streams as they come, until all have ended; of each at most one chunk is read ahead. Not by
 * Promise.race: a silent stderr stays pending for as long as the command runs, and would hold on to
 * the result of every race that it has lost, which is all of stdout.
 */
async function* output(outputs: readonly Output[]): AsyncGenerator<ExecStreamResponse> {
  const ready: {
    readonly stream: ExecStreamOutput_Stream;
    readonly pipe: OutputPipe;
    readonly data: Buffer | undefined;
  }[] = [];
  let failure: { readonly error: unknown } | undefined;
  let wake: (() => void) | undefined;
  const read = (stream: ExecStreamOutput_Stream, pipe: OutputPipe): void => {
    pipe
      .read()
      .then(
        (data) => void ready.push({ stream, pipe, data }),
        (error: unknown) => (failure = { error }),
      )
      .finally(() => wake?.());
  };
  for (const [stream, pipe] of outputs) read(stream, pipe);
  let open = outputs.length;
  while (open > 0) {
    const next = ready.shift();
    if (failure !== undefined) throw failure.error;
    if (next === undefined) {
      await new Promise<void>((resolve) => (wake = resolve));
    } else if (next.data === undefined) {
      open -= 1;
    } else {
      read(next.stream, next.pipe);
      yield response({ case: "output", value: { stream: next.stream, data: next.data } });
    }
  }
}

type ResponseInit = NonNullable<
  NonNullable<Parameters<typeof create<typeof ExecStreamResponseSchema>>[1]>["message"]
>;

function response(message: ResponseInit): ExecStreamResponse {
  return create(ExecStreamResponseSchema, { message });
}

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
import type { EngineProcess } from "../engines/engine.ts";
import type { OutputPipe } from "../spawner/output-pipe.ts";
import { checkCommand } from "./command.ts";
import { invalidArgument, notImplemented } from "./failures.ts";
import type { Sandboxes } from "./sandboxes.ts";
import { feedStandardInput, firstInput } from "./standard-input.ts";

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
  if (init.tty) {
    throw notImplemented(
      "the local service has no terminals yet: run the command without tty, its output is streamed too",
    );
  }
  const sandbox = await sandboxes.running(init.sandboxId, init.container, context.signal);
  const input = await firstInput(messages);
  const process = await sandbox.exec({
    argv: init.command,
    environment: init.env,
    wantsInput: input !== "none",
  });
  const kill = (): void => process.kill();
  if (context.signal.aborted) kill();
  context.signal.addEventListener("abort", kill, { once: true });
  let ended = false;
  try {
    yield response({ case: "ready", value: { readyTime: timestampNow() } });
    if (input !== "none") void feedStandardInput(input, process.stdin);
    yield* output(process);
    const { exitCode } = await process.exited;
    ended = true;
    yield response({ case: "exit", value: { exitCode, completedTime: timestampNow() } });
  } finally {
    context.signal.removeEventListener("abort", kill);
    if (!ended) kill();
    process.stdin?.destroy();
    process.stdout.close();
    process.stderr.close();
  }
}

async function firstMessage(messages: AsyncIterator<ExecStreamRequest>): Promise<ExecStreamInit> {
  const { done, value } = await messages.next();
  if (done !== true && value.message.case === "init") return value.message.value;
  throw invalidArgument([
    { field: "init", description: "must be the first message of the stream" },
  ]);
}

/**
 * Both streams as they come, until both have ended; of each at most one chunk is read ahead. Not by
 * Promise.race: a silent stderr stays pending for as long as the command runs, and would hold on to
 * the result of every race that it has lost, which is all of stdout.
 */
async function* output(process: EngineProcess): AsyncGenerator<ExecStreamResponse> {
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
  read(ExecStreamOutput_Stream.STDOUT, process.stdout);
  read(ExecStreamOutput_Stream.STDERR, process.stderr);
  let open = 2;
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

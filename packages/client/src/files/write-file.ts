import { randomUUID } from "node:crypto";
import { DEFAULT_CALL_TIMEOUT_SECONDS, ErrorReason } from "@tidybox/protocol";
import { call } from "../connection/call.ts";
import { QuotaError } from "../errors/request-errors.ts";
import { FileError } from "../errors/sandbox-errors.ts";
import { type CommandInput, StreamedInput, wholeInput } from "../exec/input.ts";
import { checkContainer, checkText } from "../options/checks.ts";
import { invalidOption } from "../options/invalid-option.ts";
import type { SandboxHandle } from "../sandbox/handle.ts";
import { checkBufferedSize, fileError, learnCap } from "./file-failure.ts";
import { commitCommand, EXIT, receiveCommand, removeCommand, writeCommand } from "./scripts.ts";
import { problemOf, runTransfer, type TransferEnd } from "./transfer.ts";

/** Text is written as UTF-8. What comes in pieces is passed on piece by piece, of any size. */
export type FileContent = string | Uint8Array | AsyncIterable<string | Uint8Array>;

export interface TransferOptions {
  /** One of its containers, by name. Default: the primary one. */
  readonly container?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Default 300, and none for what comes in pieces. */
  readonly timeoutSeconds?: number | undefined;
}

/** How long to try to take away what a broken write has left. */
const REMOVE_SECONDS = 10;

/** Creates or replaces a file. Not tried again once the service may have seen it. */
export async function writeFile(
  handle: SandboxHandle,
  path: string,
  content: FileContent,
  options: TransferOptions = {},
): Promise<void> {
  checkText(path, "path");
  checkContainer(options);
  handle.throwIfUnusable();
  options.signal?.throwIfAborted();
  if (isStream(content)) return writeStream(handle, path, content, options);
  if (typeof content !== "string" && !(content instanceof Uint8Array)) {
    throw invalidOption("content", "must be a text, bytes (Uint8Array), or a stream of them");
  }
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  checkBufferedSize(handle, "write", path, bytes.byteLength);
  if (
    bytes.byteLength <= handle.fileCapBytes &&
    (await writeAtOnce(handle, path, bytes, options))
  ) {
    return;
  }
  await throughTemporary(handle, path, options, (temporary) =>
    run(handle, path, writeCommand(path, temporary, bytes.byteLength), options, wholeInput(bytes)),
  );
}

function isStream(content: unknown): content is AsyncIterable<string | Uint8Array> {
  return typeof content === "object" && content !== null && Symbol.asyncIterator in content;
}

/** Answers false where the file is too large for one message. */
async function writeAtOnce(
  handle: SandboxHandle,
  path: string,
  content: Uint8Array,
  { container = "", signal, timeoutSeconds = DEFAULT_CALL_TIMEOUT_SECONDS }: TransferOptions,
): Promise<boolean> {
  try {
    await call(
      handle.connection,
      { action: `write ${JSON.stringify(path)}`, sandboxId: handle.id, path },
      {
        retry: "unsent",
        signal: signal ? AbortSignal.any([signal, handle.closedSignal]) : handle.closedSignal,
        tryTimeoutSeconds: timeoutSeconds,
      },
      (client, options) =>
        client.writeFile({ sandboxId: handle.id, path, content, container }, options),
    );
    return true;
  } catch (error) {
    if (error instanceof FileError && error.reason === ErrorReason.FILE_TOO_LARGE) {
      learnCap(handle, error);
      return false;
    }
    // A message limit on the way, below the service's own cap.
    if (error instanceof QuotaError && /larger than max/i.test(error.message)) return false;
    throw error;
  }
}

/** In two steps: only this end knows whether the end of the stream was the end of the content. */
async function writeStream(
  handle: SandboxHandle,
  path: string,
  content: AsyncIterable<string | Uint8Array>,
  options: TransferOptions,
): Promise<void> {
  const limits = { ...options, timeoutSeconds: options.timeoutSeconds ?? Number.POSITIVE_INFINITY };
  const input = new StreamedInput(content);
  try {
    await throughTemporary(handle, path, options, async (temporary) => {
      const { signal } = limits;
      const either = signal ? AbortSignal.any([signal, input.failed]) : input.failed;
      const sending = { ...limits, signal: either };
      await run(handle, path, receiveCommand(path, temporary), sending, input);
      await run(handle, path, commitCommand(path, temporary, input.sentBytes), options);
    });
  } finally {
    await input.close();
  }
}

/** The temporary file is named here, so that it can be removed whatever became of its writer. */
async function throughTemporary(
  handle: SandboxHandle,
  path: string,
  { container }: TransferOptions,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.tmp.${randomUUID().slice(0, 8)}`;
  try {
    await write(temporary);
  } catch (error) {
    await runTransfer(handle, {
      action: `remove ${JSON.stringify(temporary)}`,
      path: temporary,
      command: removeCommand(temporary),
      container,
      timeoutSeconds: REMOVE_SECONDS,
    }).catch(() => {});
    throw error;
  }
}

async function run(
  handle: SandboxHandle,
  path: string,
  command: readonly string[],
  options: TransferOptions,
  input?: CommandInput,
): Promise<void> {
  const action = `write ${JSON.stringify(path)}`;
  const end = await runTransfer(handle, { action, path, command, input, ...options });
  if (end.exitCode !== 0) throw fileError(handle, "write", path, reasonOf(end), problemOf(end));
}

function reasonOf({ exitCode }: TransferEnd): string {
  return exitCode === EXIT.IS_DIRECTORY
    ? ErrorReason.FILE_IS_DIRECTORY
    : ErrorReason.FILE_IO_FAILED;
}

import {
  DEFAULT_CALL_TIMEOUT_SECONDS,
  ErrorReason,
  FileErrorMetadata,
  MAX_BUFFERED_FILE_BYTES,
  SIZE_PROBE_TIMEOUT_SECONDS,
} from "@tidybox/protocol";
import { call } from "../connection/call.ts";
import { QuotaError, TimeoutError } from "../errors/request-errors.ts";
import { FileError } from "../errors/sandbox-errors.ts";
import { OutputBuffer } from "../exec/output-buffer.ts";
import { checkContainer, checkText } from "../options/checks.ts";
import type { SandboxHandle } from "../sandbox/handle.ts";
import { checkBufferedSize, learnCap, sizeFrom } from "./file-failure.ts";
import { checkRead } from "./read-end.ts";
import { readCommand, sizeCommand } from "./scripts.ts";
import { runTransfer } from "./transfer.ts";
import type { TransferOptions } from "./write-file.ts";

/** A whole file: in one message, or as a stream where the service finds it too large for that. */
export async function readFile(
  handle: SandboxHandle,
  path: string,
  options: TransferOptions = {},
): Promise<Uint8Array> {
  const { container = "", signal, timeoutSeconds = DEFAULT_CALL_TIMEOUT_SECONDS } = options;
  checkText(path, "path");
  checkContainer(options);
  handle.throwIfUnusable();
  signal?.throwIfAborted();
  try {
    const { content } = await call(
      handle.connection,
      { action: `read ${JSON.stringify(path)}`, sandboxId: handle.id, path },
      {
        retry: "passing",
        // Here it means a message limit, not a quota: see below.
        retryQuota: false,
        signal: signal ? AbortSignal.any([signal, handle.closedSignal]) : handle.closedSignal,
        tryTimeoutSeconds: timeoutSeconds,
      },
      (client, limits) => client.readFile({ sandboxId: handle.id, path, container }, limits),
    );
    return content;
  } catch (error) {
    if (error instanceof FileError && error.reason === ErrorReason.FILE_TOO_LARGE) {
      learnCap(handle, error);
      const sizeBytes = sizeFrom(error, FileErrorMetadata.SIZE_BYTES);
      if (sizeBytes === undefined) throw error;
      checkBufferedSize(handle, "read", path, sizeBytes);
      return readStreamed(handle, path, sizeBytes, options);
    }
    if (error instanceof QuotaError)
      return readStreamed(handle, path, await probeSize(handle, path, options), options);
    if (handle.stopping) throw handle.closedError(error);
    throw error;
  }
}

async function readStreamed(
  handle: SandboxHandle,
  path: string,
  sizeBytes: number | undefined,
  options: TransferOptions,
): Promise<Uint8Array> {
  if (sizeBytes !== undefined) checkBufferedSize(handle, "read", path, sizeBytes);
  const content = new OutputBuffer(MAX_BUFFERED_FILE_BYTES);
  const end = await runTransfer(handle, {
    action: `read ${JSON.stringify(path)}`,
    path,
    ...options,
    command: readCommand(path),
    stdout: (data) => {
      content.write(data);
      checkBufferedSize(handle, "read", path, content.producedBytes);
    },
  });
  checkRead(handle, path, end, content.producedBytes, sizeBytes);
  return content.bytes();
}

/** Only a hint: an image without `stat` is no reason not to read. */
async function probeSize(
  handle: SandboxHandle,
  path: string,
  { container, signal }: TransferOptions,
): Promise<number | undefined> {
  const stdout = new OutputBuffer(64);
  try {
    await runTransfer(handle, {
      action: `see the size of ${JSON.stringify(path)}`,
      path,
      command: sizeCommand(path),
      container,
      signal,
      stdout: (data) => stdout.write(data),
      timeoutSeconds: SIZE_PROBE_TIMEOUT_SECONDS,
    });
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
  }
  const text = stdout.text().trim();
  return /^\d{1,15}$/.test(text) && text !== "0" ? Number(text) : undefined;
}

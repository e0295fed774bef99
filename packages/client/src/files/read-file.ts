import {
  DEFAULT_CALL_TIMEOUT_SECONDS,
  ErrorReason,
  FILE_TRANSFER_STDERR_BYTES,
  FileErrorMetadata,
  MAX_BUFFERED_FILE_BYTES,
  SIZE_PROBE_TIMEOUT_SECONDS,
} from "@tidybox/protocol";
import { call } from "../connection/call.ts";
import { Deadline } from "../connection/waiting.ts";
import { QuotaError, TimeoutError } from "../errors/request-errors.ts";
import { FileError } from "../errors/sandbox-errors.ts";
import { OutputBuffer } from "../exec/output-buffer.ts";
import { runStream } from "../exec/stream.ts";
import { checkText } from "../options/checks.ts";
import type { SandboxHandle } from "../sandbox/handle.ts";
import { checkBufferedSize, fileError, learnCap, sizeFrom } from "./file-failure.ts";
import { READ_EXIT, readCommand, sizeCommand } from "./scripts.ts";

/** A whole file: in one message, or as a stream where the service finds it too large for that. */
export async function readFile(handle: SandboxHandle, path: string): Promise<Uint8Array> {
  checkText(path, "path");
  handle.throwIfUnusable();
  try {
    const { content } = await call(
      handle.connection,
      { action: `read ${JSON.stringify(path)}`, sandboxId: handle.id, path },
      {
        retry: "passing",
        // Here it means a message limit, not a quota: see below.
        retryQuota: false,
        signal: handle.closedSignal,
        tryTimeoutSeconds: DEFAULT_CALL_TIMEOUT_SECONDS,
      },
      (client, options) => client.readFile({ sandboxId: handle.id, path }, options),
    );
    return content;
  } catch (error) {
    if (error instanceof FileError && error.reason === ErrorReason.FILE_TOO_LARGE) {
      learnCap(handle, error);
      const sizeBytes = sizeFrom(error, FileErrorMetadata.SIZE_BYTES);
      if (sizeBytes === undefined) throw error;
      checkBufferedSize(handle, "read", path, sizeBytes);
      return readStreamed(handle, path, sizeBytes);
    }
    if (error instanceof QuotaError)
      return readStreamed(handle, path, await probeSize(handle, path));
    if (handle.stopping) throw handle.closedError(error);
    throw error;
  }
}

async function readStreamed(
  handle: SandboxHandle,
  path: string,
  sizeBytes: number | undefined,
): Promise<Uint8Array> {
  const action = `read ${JSON.stringify(path)}`;
  if (sizeBytes !== undefined) checkBufferedSize(handle, "read", path, sizeBytes);
  const content = new OutputBuffer(MAX_BUFFERED_FILE_BYTES);
  const stderr = new OutputBuffer(FILE_TRANSFER_STDERR_BYTES);
  using deadline = new Deadline(
    DEFAULT_CALL_TIMEOUT_SECONDS,
    handle.closedSignal,
    () =>
      new TimeoutError({
        message: `Could not ${action} (sandbox ${handle.id}) within ${DEFAULT_CALL_TIMEOUT_SECONDS} s.`,
        sandboxId: handle.id,
      }),
  );
  const exitCode = await runStream(
    handle,
    { action, path, command: readCommand(path), signal: deadline.signal },
    {
      stdout: (data) => {
        content.write(data);
        checkBufferedSize(handle, "read", path, content.producedBytes);
      },
      stderr: (data) => stderr.write(data),
    },
  );
  if (exitCode !== 0) {
    const problem = stderr.text().trim() || `exit status ${exitCode}`;
    throw fileError(handle, "read", path, reasonOf(exitCode), problem);
  }
  if (sizeBytes !== undefined && content.producedBytes < sizeBytes) {
    throw fileError(
      handle,
      "read",
      path,
      ErrorReason.FILE_TRUNCATED,
      `${content.producedBytes} of ${sizeBytes} bytes came`,
      {
        [FileErrorMetadata.SIZE_BYTES]: String(sizeBytes),
        [FileErrorMetadata.BYTES_DELIVERED]: String(content.producedBytes),
      },
    );
  }
  return content.bytes();
}

function reasonOf(exitCode: number): string {
  if (exitCode === READ_EXIT.NOT_FOUND) return ErrorReason.FILE_NOT_FOUND;
  return exitCode === READ_EXIT.IS_DIRECTORY
    ? ErrorReason.FILE_IS_DIRECTORY
    : ErrorReason.FILE_IO_FAILED;
}

/** Only a hint: an image without `stat` is no reason not to read. */
async function probeSize(handle: SandboxHandle, path: string): Promise<number | undefined> {
  const stdout = new OutputBuffer(64);
  using deadline = new Deadline(
    SIZE_PROBE_TIMEOUT_SECONDS,
    handle.closedSignal,
    () => new TimeoutError({ message: "the size of the file could not be had in time" }),
  );
  try {
    const command = sizeCommand(path);
    await runStream(
      handle,
      { action: `see the size of ${JSON.stringify(path)}`, path, command, signal: deadline.signal },
      { stdout: (data) => stdout.write(data), stderr: () => {} },
    );
  } catch (error) {
    if (!deadline.expired) throw error;
  }
  const text = stdout.text().trim();
  return /^\d{1,15}$/.test(text) && text !== "0" ? Number(text) : undefined;
}

import {
  ErrorReason,
  FileErrorMetadata,
  MAX_BUFFERED_FILE_BYTES,
  MAX_LEARNED_FILE_CAP_BYTES,
} from "@tidybox/protocol";
import { FileError } from "../errors/sandbox-errors.ts";
import type { SandboxHandle } from "../sandbox/handle.ts";

export type FileOperation = "read" | "write";

/** For what the client itself finds out. */
export function fileError(
  handle: SandboxHandle,
  operation: FileOperation,
  path: string,
  reason: string,
  problem: string,
  metadata: Readonly<Record<string, string>> = {},
): FileError {
  return new FileError({
    message: `Could not ${operation} ${JSON.stringify(path)} (sandbox ${handle.id}): ${problem}`,
    reason,
    path,
    sandboxId: handle.id,
    metadata: {
      [FileErrorMetadata.FILE_PATH]: path,
      [FileErrorMetadata.OPERATION]: operation,
      ...metadata,
    },
  });
}

/** @throws FileError for what no buffered call moves */
export function checkBufferedSize(
  handle: SandboxHandle,
  operation: FileOperation,
  path: string,
  sizeBytes: number,
): void {
  if (sizeBytes <= MAX_BUFFERED_FILE_BYTES) return;
  throw fileError(
    handle,
    operation,
    path,
    ErrorReason.FILE_TOO_LARGE,
    `${sizeBytes} bytes are too many for one call, which moves at most ${MAX_BUFFERED_FILE_BYTES}. Move it in parts.`,
    {
      [FileErrorMetadata.SIZE_BYTES]: String(sizeBytes),
      [FileErrorMetadata.MAX_SIZE_BYTES]: String(MAX_BUFFERED_FILE_BYTES),
    },
  );
}

/** What the service says of its own cap, remembered for the sandbox. */
export function learnCap(handle: SandboxHandle, error: FileError): void {
  const cap = sizeFrom(error, FileErrorMetadata.MAX_SIZE_BYTES);
  if (cap !== undefined && cap > 0) handle.fileCapBytes = Math.min(cap, MAX_LEARNED_FILE_CAP_BYTES);
}

export function sizeFrom(error: FileError, key: string): number | undefined {
  const text = error.metadata[key];
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

import { ErrorReason, FileErrorMetadata } from "@tidybox/protocol";
import type { SandboxHandle } from "../sandbox/handle.ts";
import { fileError } from "./file-failure.ts";
import { EXIT } from "./scripts.ts";
import { problemOf, type TransferEnd } from "./transfer.ts";

/** @throws FileError unless the file was read, and all of what it was said to have came */
export function checkRead(
  handle: SandboxHandle,
  path: string,
  end: TransferEnd,
  deliveredBytes: number,
  sizeBytes: number | undefined,
): void {
  if (end.exitCode !== 0) {
    throw fileError(handle, "read", path, reasonOf(end.exitCode), problemOf(end));
  }
  if (sizeBytes === undefined || deliveredBytes >= sizeBytes) return;
  throw fileError(
    handle,
    "read",
    path,
    ErrorReason.FILE_TRUNCATED,
    `${deliveredBytes} of ${sizeBytes} bytes came`,
    {
      [FileErrorMetadata.SIZE_BYTES]: String(sizeBytes),
      [FileErrorMetadata.BYTES_DELIVERED]: String(deliveredBytes),
    },
  );
}

function reasonOf(exitCode: number): string {
  if (exitCode === EXIT.NOT_FOUND) return ErrorReason.FILE_NOT_FOUND;
  return exitCode === EXIT.IS_DIRECTORY
    ? ErrorReason.FILE_IS_DIRECTORY
    : ErrorReason.FILE_IO_FAILED;
}

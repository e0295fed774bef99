import { create } from "@bufbuild/protobuf";
import { Code, type ConnectError, type HandlerContext } from "@connectrpc/connect";
import {
  ErrorReason,
  FileErrorMetadata,
  type ReadFileRequest,
  type ReadFileResponse,
  ReadFileResponseSchema,
  UNARY_FILE_CAP_BYTES,
  type WriteFileRequest,
  type WriteFileResponse,
  WriteFileResponseSchema,
} from "@tidybox/protocol";
import { SandboxFileError } from "../engines/sandbox-file-error.ts";
import { containerNotRunning, failure, invalidArgument, sandboxNotRunning } from "./failures.ts";
import { stateName } from "./lifecycle.ts";
import type { Sandboxes } from "./sandboxes.ts";

/** PATH_MAX, less its final NUL. */
const MAX_PATH_BYTES = 4095;

/** A file of 32 MiB takes a second or two; what takes longer waits for somebody. */
const FILE_SECONDS = 60;

type Operation = "read" | "write";

export async function readFile(
  sandboxes: Sandboxes,
  { sandboxId, container, path }: ReadFileRequest,
  context: HandlerContext,
): Promise<ReadFileResponse> {
  checkPath(path);
  const sandbox = await sandboxes.running(sandboxId, container, context.signal);
  const late = AbortSignal.timeout(FILE_SECONDS * 1000);
  const signal = AbortSignal.any([late, context.signal]);
  try {
    return create(ReadFileResponseSchema, {
      content: await sandbox.readFile(path, UNARY_FILE_CAP_BYTES, signal),
    });
  } catch (error) {
    if (late.aborted) throw waitedFor(path, "read");
    refuseEnded(sandboxes, sandboxId, container);
    throw fileFailure(error, path, "read");
  }
}

export async function writeFile(
  sandboxes: Sandboxes,
  { sandboxId, container, path, content }: WriteFileRequest,
  context: HandlerContext,
): Promise<WriteFileResponse> {
  checkPath(path);
  if (content.length > UNARY_FILE_CAP_BYTES) throw tooLarge(path, "write", content.length);
  const sandbox = await sandboxes.running(sandboxId, container, context.signal);
  const late = AbortSignal.timeout(FILE_SECONDS * 1000);
  const signal = AbortSignal.any([late, context.signal]);
  try {
    await sandbox.writeFile(path, content, signal);
    return create(WriteFileResponseSchema);
  } catch (error) {
    if (late.aborted) throw waitedFor(path, "write");
    refuseEnded(sandboxes, sandboxId, container);
    throw fileFailure(error, path, "write");
  }
}

/** A sandbox that ends under a file call is no longer there to be read: its files are not missing. */
function refuseEnded(sandboxes: Sandboxes, sandboxId: string, container: string): void {
  const record = sandboxes.get(sandboxId);
  if (record.running === undefined) throw sandboxNotRunning(sandboxId, stateName(record.state));
  if (record.runningContainer(container) === undefined)
    throw containerNotRunning(sandboxId, container);
}

function checkPath(path: string): void {
  const refused = (description: string) => invalidArgument([{ field: "path", description }]);
  if (path === "" || path.includes("\0"))
    throw refused("must not be empty and must not contain NUL");
  if (Buffer.byteLength(path) > MAX_PATH_BYTES)
    throw refused(`must have at most ${MAX_PATH_BYTES} bytes, as any path on Linux`);
}

function fileFailure(error: unknown, path: string, operation: Operation): unknown {
  if (!(error instanceof SandboxFileError)) return error;
  const options = {
    metadata: { [FileErrorMetadata.FILE_PATH]: path, [FileErrorMetadata.OPERATION]: operation },
    cause: error,
  };
  switch (error.kind) {
    case "not_found":
      return failure(Code.NotFound, ErrorReason.FILE_NOT_FOUND, error.message, options);
    case "is_directory":
      return failure(
        Code.FailedPrecondition,
        ErrorReason.FILE_IS_DIRECTORY,
        error.message,
        options,
      );
    case "permission_denied":
      // Not PERMISSION_DENIED: clients take that code for wrong credentials.
      return failure(
        Code.FailedPrecondition,
        ErrorReason.FILE_PERMISSION_DENIED,
        error.message,
        options,
      );
    case "too_large":
      return tooLarge(path, operation, error.sizeBytes);
    case "unusable_path":
      return failure(Code.FailedPrecondition, ErrorReason.FILE_IO_FAILED, error.message, options);
    case "io_failed":
      return failure(Code.Internal, ErrorReason.FILE_IO_FAILED, error.message, options);
  }
}

function waitedFor(path: string, operation: Operation): ConnectError {
  const message = `${path}: could not be opened within ${FILE_SECONDS} s; a pipe that nobody else opens?`;
  return failure(Code.FailedPrecondition, ErrorReason.FILE_IO_FAILED, message, {
    metadata: { [FileErrorMetadata.FILE_PATH]: path, [FileErrorMetadata.OPERATION]: operation },
  });
}

function tooLarge(path: string, operation: Operation, sizeBytes: number | undefined): ConnectError {
  return failure(
    Code.FailedPrecondition,
    ErrorReason.FILE_TOO_LARGE,
    `${path}: ${sizeBytes ?? "more"} bytes are more than one ${operation} carries (${UNARY_FILE_CAP_BYTES}); use a streamed command`,
    {
      metadata: {
        [FileErrorMetadata.FILE_PATH]: path,
        [FileErrorMetadata.OPERATION]: operation,
        [FileErrorMetadata.MAX_SIZE_BYTES]: String(UNARY_FILE_CAP_BYTES),
        ...(sizeBytes !== undefined && { [FileErrorMetadata.SIZE_BYTES]: String(sizeBytes) }),
      },
    },
  );
}

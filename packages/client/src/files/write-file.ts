import {
  DEFAULT_CALL_TIMEOUT_SECONDS,
  ErrorReason,
  FILE_TRANSFER_STDERR_BYTES,
} from "@tidybox/protocol";
import { call } from "../connection/call.ts";
import { Deadline } from "../connection/waiting.ts";
import { QuotaError, TimeoutError } from "../errors/request-errors.ts";
import { FileError } from "../errors/sandbox-errors.ts";
import { wholeInput } from "../exec/input.ts";
import { OutputBuffer } from "../exec/output-buffer.ts";
import { runStream } from "../exec/stream.ts";
import { checkText } from "../options/checks.ts";
import { invalidOption } from "../options/invalid-option.ts";
import type { SandboxHandle } from "../sandbox/handle.ts";
import { checkBufferedSize, fileError, learnCap } from "./file-failure.ts";
import { writeCommand } from "./scripts.ts";

/** Creates or replaces a file. Not tried again once the service may have seen it. */
export async function writeFile(
  handle: SandboxHandle,
  path: string,
  content: string | Uint8Array,
): Promise<void> {
  checkText(path, "path");
  if (typeof content !== "string" && !(content instanceof Uint8Array)) {
    throw invalidOption("content", "must be a text or bytes (Uint8Array)");
  }
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  checkBufferedSize(handle, "write", path, bytes.byteLength);
  handle.throwIfUnusable();
  if (bytes.byteLength <= handle.fileCapBytes && (await writeAtOnce(handle, path, bytes))) return;
  await writeStreamed(handle, path, bytes);
}

/** Answers false where the file is too large for one message. */
async function writeAtOnce(
  handle: SandboxHandle,
  path: string,
  content: Uint8Array,
): Promise<boolean> {
  try {
    await call(
      handle.connection,
      { action: `write ${JSON.stringify(path)}`, sandboxId: handle.id, path },
      {
        retry: "unsent",
        signal: handle.closedSignal,
        tryTimeoutSeconds: DEFAULT_CALL_TIMEOUT_SECONDS,
      },
      (client, options) => client.writeFile({ sandboxId: handle.id, path, content }, options),
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

async function writeStreamed(
  handle: SandboxHandle,
  path: string,
  content: Uint8Array,
): Promise<void> {
  const stderr = new OutputBuffer(FILE_TRANSFER_STDERR_BYTES);
  const action = `write ${JSON.stringify(path)}`;
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
    {
      action,
      path,
      command: writeCommand(path, content.byteLength),
      input: wholeInput(content),
      signal: deadline.signal,
    },
    { stdout: () => {}, stderr: (data) => stderr.write(data) },
  );
  if (exitCode !== 0) {
    throw fileError(
      handle,
      "write",
      path,
      ErrorReason.FILE_IO_FAILED,
      stderr.text().trim() || `exit status ${exitCode}`,
    );
  }
}

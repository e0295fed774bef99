import { DEFAULT_CALL_TIMEOUT_SECONDS, FILE_TRANSFER_STDERR_BYTES } from "@tidybox/protocol";
import { Deadline } from "../connection/deadline.ts";
import { TimeoutError } from "../errors/request-errors.ts";
import type { CommandInput } from "../exec/input.ts";
import { OutputBuffer } from "../exec/output-buffer.ts";
import { runStream } from "../exec/stream.ts";
import type { SandboxHandle } from "../sandbox/handle.ts";

/** A command that moves a file, and the bytes that it moves. */
export interface Transfer {
  /** As in "could not `read "/a"`". */
  readonly action: string;
  readonly path: string;
  readonly command: readonly string[];
  /** Default: the primary one. */
  readonly container?: string | undefined;
  readonly input?: CommandInput | undefined;
  /** Default: thrown away. */
  readonly stdout?: (data: Uint8Array) => Promise<void> | void;
  readonly signal?: AbortSignal | undefined;
  /** Default 300; Infinity for none. */
  readonly timeoutSeconds?: number | undefined;
}

export interface TransferEnd {
  readonly exitCode: number;
  readonly stderr: string;
}

/**
 * @throws TimeoutError; the signal's reason; what a sink throws. Another status than 0 is the
 *   caller's to judge.
 */
export async function runTransfer(handle: SandboxHandle, transfer: Transfer): Promise<TransferEnd> {
  const { action, path, command, container, input, stdout = () => {} } = transfer;
  const { timeoutSeconds = DEFAULT_CALL_TIMEOUT_SECONDS } = transfer;
  const stderr = new OutputBuffer(FILE_TRANSFER_STDERR_BYTES);
  using deadline = new Deadline(
    timeoutSeconds,
    [transfer.signal, handle.closedSignal],
    () =>
      new TimeoutError({
        message: `Could not ${action} (sandbox ${handle.id}) within ${timeoutSeconds} s.`,
        sandboxId: handle.id,
      }),
  );
  const exitCode = await runStream(
    handle,
    { action, path, command, container, input, signal: deadline.signal },
    { stdout, stderr: (data) => stderr.write(data) },
  );
  return { exitCode, stderr: stderr.text() };
}

export function problemOf({ exitCode, stderr }: TransferEnd): string {
  return stderr.trim() || `exit status ${exitCode}`;
}

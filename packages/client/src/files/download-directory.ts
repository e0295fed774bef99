import { ErrorReason } from "@tidybox/protocol";
import { abortable } from "../connection/waiting.ts";
import { OutputQueue } from "../exec/output-queue.ts";
import { checkContainer, checkText } from "../options/checks.ts";
import type { SandboxHandle } from "../sandbox/handle.ts";
import type { DownloadOptions } from "./directory-options.ts";
import { fileError } from "./file-failure.ts";
import { EXIT, packCommand } from "./scripts.ts";
import { problemOf, runTransfer, type TransferEnd } from "./transfer.ts";
import { Unpacking } from "./unpacking.ts";

/** Receives what is in a directory of the sandbox, and trusts none of it. */
export async function downloadDirectory(
  handle: SandboxHandle,
  path: string,
  localPath: string,
  options: DownloadOptions,
): Promise<void> {
  checkText(path, "sandboxPath");
  checkText(localPath, "localPath");
  checkContainer(options);
  handle.throwIfUnusable();
  options.signal?.throwIfAborted();
  const { createTarDecoder } = await import("modern-tar");
  const refused = new AbortController();
  const { timeoutSeconds = Number.POSITIVE_INFINITY } = options;
  const signal = options.signal
    ? AbortSignal.any([options.signal, refused.signal])
    : refused.signal;
  const queue = new OutputQueue();
  const sending = runTransfer(handle, {
    action: `download ${JSON.stringify(path)}`,
    path,
    command: packCommand(path),
    container: options.container,
    signal,
    timeoutSeconds,
    stdout: (data) => {
      const room = queue.push(data);
      return room && abortable(room, signal);
    },
  }).then((end) => {
    // Before its archive ends: of a directory that is not there, none comes at all.
    if (end.exitCode !== 0) throw packError(handle, path, end);
    queue.end();
  });
  sending.catch((error: unknown) => queue.fail(error));
  const unpacking = new Unpacking(handle, path, localPath, options);
  try {
    const decoder = createTarDecoder({ strict: true });
    const archive = queue.readable as unknown as ReadableStream<Uint8Array<ArrayBuffer>>;
    const entries = archive.pipeThrough(decoder as ReadableWritablePair<never, Uint8Array>);
    await unpacking.start();
    for await (const entry of entries as unknown as AsyncIterable<
      Parameters<Unpacking["add"]>[0]
    >) {
      await unpacking.add(entry);
    }
    await sending;
    await unpacking.finish();
  } catch (error) {
    refused.abort(error);
    // What broke the archive off says more than that it is broken off.
    await sending;
    throw error;
  }
}

function packError(handle: SandboxHandle, path: string, end: TransferEnd): Error {
  const reason =
    end.exitCode === EXIT.NOT_FOUND ? ErrorReason.FILE_NOT_FOUND : ErrorReason.FILE_IO_FAILED;
  return fileError(handle, "read", path, reason, problemOf(end));
}

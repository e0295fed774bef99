import type { ReadableStream } from "node:stream/web";
import { abortable } from "../connection/waiting.ts";
import { OutputQueue } from "../exec/output-queue.ts";
import { checkContainer, checkText } from "../options/checks.ts";
import type { SandboxHandle } from "../sandbox/handle.ts";
import { checkRead } from "./read-end.ts";
import { measuredReadCommand } from "./scripts.ts";
import { runTransfer } from "./transfer.ts";
import type { TransferOptions } from "./write-file.ts";

/** A file of any size, as fast as it is read. Asks for it with the first read. */
export function readFileStream(
  handle: SandboxHandle,
  path: string,
  options: TransferOptions,
): ReadableStream<Uint8Array> {
  checkText(path, "path");
  checkContainer(options);
  handle.throwIfUnusable();
  const left = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, left.signal]) : left.signal;
  const queue = new OutputQueue({
    onFirstRead: () => {
      readInto(handle, path, queue, { ...options, signal }).then(
        () => queue.end(),
        (error: unknown) => queue.fail(error),
      );
    },
    onCancel: (reason) => left.abort(reason),
  });
  return queue.readable;
}

async function readInto(
  handle: SandboxHandle,
  path: string,
  queue: OutputQueue,
  { container, signal, timeoutSeconds = Number.POSITIVE_INFINITY }: TransferOptions,
): Promise<void> {
  handle.throwIfUnusable();
  let deliveredBytes = 0;
  const end = await runTransfer(handle, {
    action: `read ${JSON.stringify(path)}`,
    path,
    command: measuredReadCommand(path),
    container,
    signal,
    timeoutSeconds,
    stdout: (data) => {
      deliveredBytes += data.byteLength;
      const room = queue.push(data);
      return room && abortable(room, signal);
    },
  });
  const [size = "", ...words] = end.stderr.split("\n");
  const known = /^\d{1,15}$/.test(size);
  const stderr = known || size === "" ? words.join("\n") : end.stderr;
  checkRead(handle, path, { ...end, stderr }, deliveredBytes, known ? Number(size) : undefined);
}

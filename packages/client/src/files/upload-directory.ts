import { constants } from "node:fs";
import { lstat, open, opendir, readlink } from "node:fs/promises";
import { isAbsolute, join, resolve } from "node:path";
import { ErrorReason, FileErrorMetadata } from "@tidybox/protocol";
import type { TarPackController } from "modern-tar";
import { abortable } from "../connection/waiting.ts";
import { FileError } from "../errors/sandbox-errors.ts";
import { StreamedInput } from "../exec/input.ts";
import { checkContainer, checkText } from "../options/checks.ts";
import type { SandboxHandle } from "../sandbox/handle.ts";
import { type DirectoryOptions, ENTRY_REFUSED } from "./directory-options.ts";
import { linkStaysInside } from "./entry-path.ts";
import { fileError } from "./file-failure.ts";
import { EXIT, unpackCommand } from "./scripts.ts";
import { problemOf, runTransfer } from "./transfer.ts";

const MODE = 0o7777;
const OWNER_ALL = 0o700;
const READ_BYTES = 256 * 1024;

/** Sends what is in a directory of this machine, as one stream that `tar` unpacks there. */
export async function uploadDirectory(
  handle: SandboxHandle,
  localPath: string,
  path: string,
  options: DirectoryOptions,
): Promise<void> {
  checkText(localPath, "localPath");
  checkText(path, "sandboxPath");
  checkContainer(options);
  handle.throwIfUnusable();
  const { container, signal, timeoutSeconds = Number.POSITIVE_INFINITY } = options;
  signal?.throwIfAborted();
  if (!(await lstatOf(handle, localPath)).isDirectory()) {
    throw localError(handle, localPath, ErrorReason.FILE_IO_FAILED, "it is not a directory");
  }
  const { createTarPacker } = await import("modern-tar");
  const { readable, controller } = createTarPacker();
  const input = new StreamedInput(readable as unknown as AsyncIterable<Uint8Array>);
  // Nobody takes the archive any more: then what is being written to it may stay pending for ever.
  const over = new AbortController();
  // What goes wrong in there comes out at the other end of the archive.
  const packing = new Packing(handle, controller, localPath, options, over.signal)
    .add("")
    .then(() => controller.finalize())
    .catch((error: unknown) => controller.error(error));
  try {
    const end = await runTransfer(handle, {
      action: `upload ${JSON.stringify(localPath)} to ${JSON.stringify(path)}`,
      path,
      command: unpackCommand(path),
      container,
      input,
      signal: signal ? AbortSignal.any([signal, input.failed]) : input.failed,
      timeoutSeconds,
    });
    if (end.exitCode !== 0) {
      const problem = end.exitCode === EXIT.NOT_DIRECTORY ? "is not a directory" : problemOf(end);
      throw fileError(handle, "write", path, ErrorReason.FILE_IO_FAILED, problem);
    }
  } finally {
    over.abort(new Error("the upload has ended"));
    await input.close();
    await packing;
  }
}

async function lstatOf(handle: SandboxHandle, localPath: string): ReturnType<typeof lstat> {
  try {
    return await lstat(localPath);
  } catch (cause) {
    throw systemError(handle, localPath, cause);
  }
}

function systemError(handle: SandboxHandle, localPath: string, cause: unknown): Error {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === "ENOENT")
    return localError(handle, localPath, ErrorReason.FILE_NOT_FOUND, "there is no such path");
  return localError(handle, localPath, ErrorReason.FILE_IO_FAILED, message);
}

/** Not the sandbox's file: nobody should look for it in there. */
function localError(
  { id }: SandboxHandle,
  localPath: string,
  reason: string,
  problem: string,
): FileError {
  const relative = isAbsolute(localPath) ? "" : ` (${resolve(localPath)})`;
  return new FileError({
    message: `Could not read ${JSON.stringify(localPath)}${relative} on this machine, to upload it to sandbox ${id}: ${problem}.`,
    reason,
    path: localPath,
    sandboxId: id,
    metadata: { [FileErrorMetadata.FILE_PATH]: localPath, [FileErrorMetadata.OPERATION]: "read" },
  });
}

/** Reads a directory of this machine, entry by entry, as fast as the archive is taken. */
class Packing {
  readonly #handle: SandboxHandle;
  readonly #controller: TarPackController;
  readonly #root: string;
  readonly #options: DirectoryOptions;
  readonly #over: AbortSignal;

  constructor(
    handle: SandboxHandle,
    controller: TarPackController,
    root: string,
    options: DirectoryOptions,
    over: AbortSignal,
  ) {
    this.#over = over;
    this.#handle = handle;
    this.#controller = controller;
    this.#root = root;
    this.#options = options;
  }

  async add(path: string): Promise<void> {
    const localPath = join(this.#root, path);
    try {
      const found = await lstat(localPath);
      const mode = found.mode & MODE;
      const common = { mode, mtime: found.mtime, uid: 0, gid: 0 };
      if (found.isDirectory()) {
        const header = { ...common, name: `${path}/`, type: "directory" } as const;
        // The directory itself keeps what it has there.
        if (path !== "") await this.#header({ ...header, mode: mode | OWNER_ALL });
        const names: string[] = [];
        for await (const { name } of await opendir(localPath)) names.push(name);
        for (const name of names.toSorted()) await this.add(path === "" ? name : `${path}/${name}`);
        // Only now: nobody may write into it any more.
        if (path !== "" && (mode & OWNER_ALL) !== OWNER_ALL) await this.#header(header);
      } else if (found.isSymbolicLink()) {
        const linkname = await readlink(localPath);
        if (linkStaysInside(path, linkname)) {
          await this.#header({ ...common, name: path, type: "symlink", linkname });
        } else if (this.#options.outsideLinks !== "skip") {
          throw this.#refused(localPath, `it is a link out of the directory, to ${linkname}`);
        }
      } else if (found.isFile()) {
        await this.#file(path, localPath, common);
      } else {
        throw this.#refused(localPath, "it is neither a file, a directory nor a link");
      }
    } catch (error) {
      if (error instanceof Error && "syscall" in error) {
        throw systemError(this.#handle, localPath, error);
      }
      throw error;
    }
  }

  async #header(header: Omit<Parameters<TarPackController["add"]>[0], "size">): Promise<void> {
    await abortable(this.#controller.add({ ...header, size: 0 }).close(), this.#over);
  }

  async #file(path: string, localPath: string, common: object): Promise<void> {
    await using file = await open(localPath, constants.O_RDONLY | constants.O_NOFOLLOW);
    const { size } = await file.stat();
    const writer = this.#controller.add({ ...common, name: path, type: "file", size }).getWriter();
    let position = 0;
    while (position < size) {
      const { bytesRead, buffer } = await file.read(
        new Uint8Array(Math.min(READ_BYTES, size - position)),
        { position },
      );
      if (bytesRead === 0) {
        throw localError(
          this.#handle,
          localPath,
          ErrorReason.FILE_TRUNCATED,
          `it became shorter while it was read: ${position} of ${size} bytes came`,
        );
      }
      await abortable(writer.write(buffer.subarray(0, bytesRead)), this.#over);
      position += bytesRead;
    }
    await abortable(writer.close(), this.#over);
  }

  #refused(localPath: string, problem: string): Error {
    return localError(this.#handle, localPath, ENTRY_REFUSED, problem);
  }
}

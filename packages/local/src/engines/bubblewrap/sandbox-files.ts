import { constants } from "node:fs";
import { collectOutput } from "../collect-output.ts";
import type { EngineProcess, ExecCommand } from "../engine.ts";
import { execUntil } from "../exec-until.ts";
import { readBounded } from "../read-bounded.ts";
import {
  fileErrorFromErrno,
  SandboxFileError,
  type SandboxFileErrorKind,
} from "../sandbox-file-error.ts";
import { NeedsSandboxResolution, openContained } from "./contained-path.ts";

type Exec = (command: ExecCommand) => Promise<EngineProcess>;

/** Exit codes of the scripts below, which only they use. */
const NOT_FOUND = 52;
const IS_DIRECTORY = 53;
const PERMISSION_DENIED = 54;
const TOO_LARGE = 55;
const NOT_REGULAR = 56;

const READ_SCRIPT = `
[ -e "$1" ] || exit ${NOT_FOUND}
[ -d "$1" ] && exit ${IS_DIRECTORY}
[ -r "$1" ] || exit ${PERMISSION_DENIED}
[ -f "$1" ] || exit ${NOT_REGULAR}
size=$(stat -Lc %s -- "$1") || exit 1
[ "$size" -le "$2" ] || { echo "$size"; exit ${TOO_LARGE}; }
exec cat -- "$1"`;

const WRITE_SCRIPT = `
[ -d "$1" ] && exit ${IS_DIRECTORY}
case $1 in */*) mkdir -p -- "\${1%/*}/" || exit 1;; esac
if [ -e "$1" ]; then
  [ -w "$1" ] || exit ${PERMISSION_DENIED}
  [ -f "$1" ] || exit ${NOT_REGULAR}
fi
exec cat >"$1"`;

/**
 * The file calls of one sandbox: from the host where no link is in the way, else by a command
 * inside, where links mean what the sandbox means by them.
 */
export class SandboxFiles {
  readonly #root: string;
  readonly #sandbox: { readonly exec: Exec };

  constructor(root: string, exec: Exec) {
    this.#root = root;
    this.#sandbox = { exec };
  }

  /** The signal ends what waits inside: between a look and the opening, a file can become a pipe. */
  async read(path: string, maxSizeBytes: number, signal?: AbortSignal): Promise<Uint8Array> {
    try {
      const file = await openContained(this.#root, path, constants.O_RDONLY, {
        makeParents: false,
      });
      try {
        return await readBounded(file, path, maxSizeBytes);
      } finally {
        await file.close();
      }
    } catch (error) {
      if (error instanceof NeedsSandboxResolution)
        return this.#readInside(path, maxSizeBytes, signal);
      throw error instanceof SandboxFileError ? error : fileErrorFromErrno(error, path);
    }
  }

  /** The same. */
  async write(path: string, content: Uint8Array, signal?: AbortSignal): Promise<void> {
    try {
      const flags = constants.O_WRONLY | constants.O_CREAT;
      const file = await openContained(this.#root, path, flags, { makeParents: true });
      try {
        if (!(await file.stat()).isFile()) {
          throw new SandboxFileError("unusable_path", `${path} is not a regular file`);
        }
        await file.truncate(0);
        await file.writeFile(content);
      } finally {
        await file.close();
      }
    } catch (error) {
      if (error instanceof NeedsSandboxResolution) return this.#writeInside(path, content, signal);
      throw error instanceof SandboxFileError ? error : fileErrorFromErrno(error, path);
    }
  }

  async #readInside(
    path: string,
    maxSizeBytes: number,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    const process = await execUntil(signal, this.#sandbox, {
      argv: ["/bin/sh", "-c", READ_SCRIPT, "tidybox-read-file", path, String(maxSizeBytes)],
      environment: {},
      wantsInput: false,
    });
    const [stdout, stderr, end] = await Promise.all([
      collectOutput(process.stdout, maxSizeBytes),
      collectOutput(process.stderr, 4096),
      process.exited,
    ]);
    if (end.exitCode === TOO_LARGE) {
      const sizeBytes = Number(stdout.bytes.toString("latin1"));
      throw new SandboxFileError("too_large", `${path} is too large`, { sizeBytes });
    }
    refuse(end.exitCode, path, stderr.bytes);
    if (stdout.producedBytes > maxSizeBytes) {
      throw new SandboxFileError("too_large", `${path} is too large`, {
        sizeBytes: stdout.producedBytes,
      });
    }
    return stdout.bytes;
  }

  async #writeInside(
    path: string,
    content: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const process = await execUntil(signal, this.#sandbox, {
      argv: ["/bin/sh", "-c", WRITE_SCRIPT, "tidybox-write-file", path],
      environment: {},
      wantsInput: true,
    });
    // EPIPE when the script has refused already; its exit code says why.
    process.stdin?.on("error", () => {});
    process.stdin?.end(content);
    const [, stderr, end] = await Promise.all([
      collectOutput(process.stdout, 0),
      collectOutput(process.stderr, 4096),
      process.exited,
    ]);
    refuse(end.exitCode, path, stderr.bytes);
  }
}

function refuse(exitCode: number, path: string, stderr: Buffer): void {
  switch (exitCode) {
    case 0:
      return;
    case NOT_FOUND:
      throw new SandboxFileError("not_found", `${path}: no such file or directory`);
    case IS_DIRECTORY:
      throw new SandboxFileError("is_directory", `${path} is a directory`);
    case PERMISSION_DENIED:
      throw new SandboxFileError("permission_denied", `${path}: permission denied`);
    case NOT_REGULAR:
      throw new SandboxFileError("unusable_path", `${path} is not a regular file`);
    default: {
      const text = stderr.toString().trim() || `exit code ${exitCode}`;
      throw new SandboxFileError(kindOf(text), `${path}: ${text}`);
    }
  }
}

/** By what the sandbox's programs say. */
function kindOf(text: string): SandboxFileErrorKind {
  if (/permission denied|read-only file system/i.test(text)) return "permission_denied";
  if (/not a directory|file exists|nonexistent/i.test(text)) return "not_found";
  const unusable = /file name too long|too many levels of symbolic links/i;
  return unusable.test(text) ? "unusable_path" : "io_failed";
}

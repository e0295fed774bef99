import type { ChildProcess } from "node:child_process";
import { writeSync } from "node:fs";
import type { Writable } from "node:stream";
import { helperEnvironment, helperFlags } from "./helper-environment.ts";
import { helperFile } from "./helper-file.ts";
import { type HelperMessage, encodeMessages } from "./helper-messages.ts";

/** A helper needs some 100 ms to begin to read, and then reads faster than we write. */
const WRITE_LIMIT_MS = 5_000;
const FULL_PIPE_PAUSE_MS = 2;

/**
 * The process that stops what is left when this one is gone. In a session of its own, so that no
 * signal to our group or terminal reaches it; holds none of our streams and no folder; gets the key
 * through a pipe. Everything here is synchronous, because nothing else runs in an `exit` listener.
 */
export class HelperProcess {
  readonly #child: ChildProcess;
  readonly #stdin: Writable;
  #gone = false;

  /** Takes 2 to 5 ms of this process. @throws when it cannot be started */
  constructor() {
    // Not imported above: most processes never come here, and it is not free.
    const { spawn } = process.getBuiltinModule("node:child_process");
    const child = spawn(process.execPath, [...helperFlags(), helperFile()], {
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
      env: helperEnvironment(),
      cwd: "/",
      windowsHide: true,
    });
    const { stdin } = child;
    child.on("error", () => {});
    child.on("exit", () => (this.#gone = true));
    if (child.pid === undefined || stdin === null) throw new Error("no process could be started");
    stdin.on("error", () => {});
    child.unref();
    (stdin as Writable & { unref?: () => void }).unref?.();
    this.#child = child;
    this.#stdin = stdin;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** As far as is known without asking. */
  get gone(): boolean {
    return this.#gone;
  }

  /** Returns once all of it is in the pipe. @throws when the helper does not take it */
  send(messages: readonly HelperMessage[]): void {
    const bytes = encodeMessages(messages);
    const descriptor = descriptorOf(this.#stdin);
    if (descriptor === undefined) {
      // A write to a pipe is synchronous too, for as much as the pipe holds at once.
      this.#stdin.write(bytes);
      return;
    }
    writeAll(descriptor, bytes);
  }

  /** It begins to stop what it was sent and was not told to forget. */
  close(): void {
    this.#stdin.destroy();
  }
}

/** Not public in Node, and there in every version that we know. */
function descriptorOf(stream: Writable): number | undefined {
  const handle: unknown = Reflect.get(stream, "_handle");
  if (typeof handle !== "object" || handle === null) return undefined;
  const descriptor: unknown = Reflect.get(handle, "fd");
  return typeof descriptor === "number" && descriptor >= 0 ? descriptor : undefined;
}

/** Libuv's end of the pipe does not block: a full one says EAGAIN until the helper has read. */
function writeAll(descriptor: number, bytes: Buffer): void {
  const lateAt = performance.now() + WRITE_LIMIT_MS;
  const never = new Int32Array(new SharedArrayBuffer(4));
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(descriptor, bytes, written);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "EAGAIN" || performance.now() > lateAt) throw error;
      Atomics.wait(never, 0, 0, FULL_PIPE_PAUSE_MS);
    }
  }
}

import { stopMessages } from "./hand-over.ts";
import type { HelperMessage } from "./helper-messages.ts";
import { HelperProcess } from "./helper-process.ts";
import type { LiveSandbox } from "./live-sandbox.ts";

/**
 * For a worker thread: a helper that runs from the first sandbox on. Whoever terminates the thread,
 * or ends the process from another one, runs no more code in it; the end of the pipe to its guard
 * is all that tells of it, and works whatever the main thread has loaded.
 */
export class Guard {
  readonly #graceSeconds: number;
  readonly #keys = new Set<string>();
  #helper: HelperProcess | undefined;
  #broken = false;

  constructor(graceSeconds: number) {
    this.#graceSeconds = graceSeconds;
  }

  /** Whether it knows all that it was to know. */
  get works(): boolean {
    return !this.#broken && this.#helper?.gone !== true;
  }

  add(sandbox: LiveSandbox): void {
    const messages = stopMessages(sandbox);
    if (messages.length === 0) return;
    this.#keys.add(sandbox.key);
    this.#send(messages);
  }

  drop(key: string): void {
    if (this.#keys.delete(key)) this.#send([{ kind: "gone", key }]);
  }

  /** It forgets all of it and goes. */
  close(): void {
    for (const key of this.#keys) this.drop(key);
    this.#helper?.close();
  }

  #send(messages: readonly HelperMessage[]): void {
    if (this.#broken) return;
    try {
      if (this.#helper === undefined) {
        this.#helper = new HelperProcess();
        this.#helper.send([{ kind: "grace", seconds: this.#graceSeconds }]);
      }
      this.#helper.send(messages);
    } catch {
      // The `exit` listener tries with another one, where the thread gets so far.
      this.#broken = true;
    }
  }
}

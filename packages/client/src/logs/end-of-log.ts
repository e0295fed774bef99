import {
  KEEP_ALIVE_COMMAND,
  LOG_RESUME_PAUSE_CEILING_SECONDS,
  LOG_RESUME_PAUSE_SECONDS,
  type SandboxSpec,
} from "@tidybox/protocol";
import { pause, settlesWithin } from "../connection/waiting.ts";
import type { SandboxHandle } from "../sandbox/handle.ts";
import { LastLines } from "./last-lines.ts";
import { readLog } from "./read-log.ts";

/** A stream that is at its end says so at once. */
const REST_SECONDS = 1;

/** More than is shown, and no more of what was printed before than is of use. */
const TAIL_LINES = 50;

/**
 * The last lines that a main process prints. Nobody can ask for them when the sandbox has ended, so
 * they are followed while it has not. Never throws: what cannot be had is left out.
 */
export class EndOfLog implements Disposable {
  #last = new LastLines();
  readonly #over = new AbortController();
  readonly #read: Promise<void>;
  #pausing = false;
  #isLastTry = false;

  constructor(handle: SandboxHandle) {
    this.#read = this.#follow(handle);
  }

  /** Once it is known that the sandbox has ended: the rest is waited for, but not for long. */
  async lines(): Promise<readonly string[]> {
    this.#isLastTry = true;
    if (!this.#pausing) await settlesWithin(this.#read, REST_SECONDS);
    this[Symbol.dispose]();
    return this.#last.lines();
  }

  [Symbol.dispose](): void {
    this.#over.abort(new Error("the end of the log is no longer wanted"));
  }

  async #follow(handle: SandboxHandle): Promise<void> {
    const { signal } = this.#over;
    let seconds = LOG_RESUME_PAUSE_SECONDS;
    while (!signal.aborted) {
      try {
        const window = { container: "", follow: true, tailLines: TAIL_LINES, sinceTime: undefined };
        const last = new LastLines();
        for await (const chunk of readLog(handle, { ...window, timestamps: false }, signal)) {
          last.push(chunk);
          this.#last = last;
        }
        return;
      } catch {
        // A service may have no log to give before the sandbox runs.
        if (this.#isLastTry) return;
        this.#pausing = true;
        await pause(seconds, signal).catch(() => {});
        seconds = Math.min(seconds * 2, LOG_RESUME_PAUSE_CEILING_SECONDS);
        this.#pausing = false;
      }
    }
  }
}

/** Whether its main process may print anything: the keep-alive never does. */
export function mayPrint(spec: SandboxSpec | undefined): boolean {
  const container =
    spec?.containers.find(({ name }) => name === spec.primaryContainer) ?? spec?.containers[0];
  if (container === undefined) return false;
  const command = [container.command, ...container.args];
  return (
    command.length !== KEEP_ALIVE_COMMAND.length ||
    KEEP_ALIVE_COMMAND.some((word, index) => word !== command[index])
  );
}

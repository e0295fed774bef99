import { Deadline } from "../connection/deadline.ts";
import { abortable } from "../connection/waiting.ts";
import { NotFoundError } from "../errors/request-errors.ts";
import type { SandboxHandle } from "./handle.ts";
import {
  type StopOptions,
  type StopResult,
  missing,
  stillThere,
  stopLimits,
  stopSandbox,
} from "./stop.ts";

/**
 * One stop of a sandbox that several wait for, each within limits of its own: a close of its session
 * must not wait as long as somebody else has allowed. It is given up when the last of them gives up.
 */
export class SharedStop {
  /** As it ends, whoever waits. */
  readonly done: Promise<StopResult>;
  readonly #handle: SandboxHandle;
  readonly #takesSnapshots: boolean;
  readonly #giveUp = new AbortController();
  #waiting = 0;

  /** Begins it, with the grace of whoever is first. @throws ConfigurationError */
  constructor(handle: SandboxHandle, options: StopOptions) {
    const { graceSeconds } = stopLimits(options);
    this.#handle = handle;
    this.#takesSnapshots = (options.snapshotOnStop ?? false) !== false;
    this.done = stopSandbox(handle, {
      graceSeconds,
      missingOk: options.missingOk ?? false,
      snapshotOnStop: options.snapshotOnStop,
      signal: this.#giveUp.signal,
    });
    // Whoever gives up no longer listens.
    this.done.catch(() => {});
  }

  /** Nobody waits for it any more, so that it will not come to its end. */
  get givenUp(): boolean {
    return this.#giveUp.signal.aborted;
  }

  /**
   * @throws TimeoutError when the sandbox is still there at the end of `timeoutSeconds`
   * @throws what the stop itself throws, but for NotFoundError with `missingOk`
   */
  async wait(options: StopOptions): Promise<StopResult> {
    const { timeoutSeconds } = stopLimits(options);
    using deadline = new Deadline(timeoutSeconds, [options.signal], () =>
      stillThere(this.#handle, timeoutSeconds),
    );
    this.#waiting += 1;
    let over = false;
    try {
      const result = await abortable(this.done, deadline.signal);
      over = true;
      return result;
    } catch (error) {
      over = !deadline.signal.aborted;
      // With snapshots it may be one whose answer was lost, and with it the ids of what it took.
      if (error instanceof NotFoundError && options.missingOk === true && !this.#takesSnapshots)
        return missing(this.#handle);
      throw error;
    } finally {
      this.#waiting -= 1;
      // With the reason of the last one: a connection that let a stop run out of time is suspect.
      if (!over && this.#waiting === 0) this.#giveUp.abort(deadline.signal.reason);
    }
  }
}

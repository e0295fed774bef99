import type { SandboxHandle } from "./handle.ts";
import { SharedStop } from "./shared-stop.ts";
import type { StopOptions, StopResult } from "./stop.ts";

/** The stop of one sandbox: one, however many ask for it, until one has failed. */
export class Stopping {
  readonly #handle: SandboxHandle;
  #current: SharedStop | undefined;

  constructor(handle: SandboxHandle) {
    this.#handle = handle;
  }

  /** Begins it, or joins the one that is under way or done, within limits of its own. */
  async join(options: StopOptions): Promise<StopResult> {
    options.signal?.throwIfAborted();
    const current = this.#current?.givenUp === false ? this.#current : this.#begin(options);
    return current.wait(options);
  }

  #begin(options: StopOptions): SharedStop {
    const begun = new SharedStop(this.#handle, options);
    this.#current = begun;
    this.#handle.noteStop(true);
    begun.done.then(
      () => this.#handle.noteEnd(),
      () => {
        // Somebody may have begun another one meanwhile.
        if (this.#current !== begun) return;
        this.#current = undefined;
        this.#handle.noteStop(false);
      },
    );
    return begun;
  }
}

import { LinkedSignal } from "./linked-signal.ts";

/** A limit in time together with the signals of others. Dispose of it when the work is done. */
export class Deadline extends LinkedSignal {
  readonly #endsAt: number;

  /** @param onExpiry makes the reason that the signal aborts with. Infinity never expires. */
  constructor(
    seconds: number,
    signals: readonly (AbortSignal | undefined)[],
    onExpiry: () => Error,
  ) {
    super(signals, seconds, onExpiry);
    this.#endsAt = performance.now() + seconds * 1000;
  }

  get remainingSeconds(): number {
    return Math.max(0, (this.#endsAt - performance.now()) / 1000);
  }
}

import type { Sandbox } from "../sandbox/sandbox.ts";
import { Turns } from "../sandbox/turns.ts";
import type { ReleaseOptions } from "./session-options.ts";

/**
 * Stops that nobody waits for, so many at once. A failure is not told here: the sandbox stays its
 * session's, whose close tries again, and tells.
 */
export class BackgroundStops {
  readonly #turns: Turns;
  readonly #waiting = new Set<() => void>();
  readonly #giveUp = new AbortController();

  constructor(most: number) {
    this.#turns = new Turns(most);
  }

  add(sandbox: Sandbox, options: ReleaseOptions): void {
    const { signal } = this.#giveUp;
    const stop = async (): Promise<void> => {
      await sandbox.stop({ ...options, missingOk: true, signal });
    };
    const inTurn = async (): Promise<void> => {
      const begin = (): void => void stop().catch(() => {});
      this.#waiting.add(begin);
      const end = await this.#turns.take(signal).finally(() => this.#waiting.delete(begin));
      try {
        await stop();
      } finally {
        end();
      }
    };
    inTurn().catch(() => {});
  }

  /** All that wait begin now, each with its own options, whatever their number. */
  hurry(): void {
    // Its turn, when it comes, is the same stop: two are one.
    for (const begin of this.#waiting) begin();
  }

  /** Nothing of it goes on. */
  abandon(reason: Error): void {
    this.#giveUp.abort(reason);
  }
}

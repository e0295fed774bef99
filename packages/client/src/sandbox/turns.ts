/**
 * So many at once, first come, first served. Unlike with p-limit, whoever waits can give up its place
 * at once, and all who wait can be told to.
 */
export class Turns {
  readonly #most: number;
  readonly #waiting = new Set<Waiter>();
  #taken = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Who have their turn now. */
  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Waits for a turn. Answers how to end it, safe to call twice. @throws the signal's reason */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#taken < this.#most) this.#taken += 1;
    else await this.#wait(signal);
    let over = false;
    return () => {
      if (over) return;
      over = true;
      const [next] = this.#waiting;
      if (next === undefined) this.#taken -= 1;
      else next.begin();
    };
  }

  /** Those who wait get this error instead of a turn. */
  refuseWaiting(error: Error): void {
    for (const waiter of this.#waiting) waiter.refuse(error);
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(waiter);
        signal.removeEventListener("abort", onAbort);
      };
      const waiter: Waiter = {
        begin: () => {
          leave();
          resolve();
        },
        refuse: (reason) => {
          leave();
          reject(reason);
        },
      };
      const onAbort = (): void => waiter.refuse(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      this.#waiting.add(waiter);
    });
  }
}

interface Waiter {
  begin(): void;
  refuse(reason: unknown): void;
}

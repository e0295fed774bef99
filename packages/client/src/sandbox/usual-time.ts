import type { Connection } from "../connection/connection.ts";

const REMEMBERED = 8;
const OVER = 0.5;

/** How long something of a service usually takes: the median of the last few. */
export class UsualTime {
  readonly #seconds: number[] = [];

  /** Undefined until it was seen once. */
  get seconds(): number | undefined {
    return this.#seconds.toSorted((a, b) => a - b)[Math.floor((this.#seconds.length - 1) / 2)];
  }

  saw(seconds: number): void {
    // So much quicker is no exception: what was usual before is over.
    if (seconds < (this.seconds ?? 0) * OVER) this.#seconds.length = 0;
    this.#seconds.push(seconds);
    if (this.#seconds.length > REMEMBERED) this.#seconds.shift();
  }
}

/** Of the sandboxes of one connection: from the accepted create to running, from the stop to the end. */
export interface UsualTimes {
  readonly start: UsualTime;
  readonly stop: UsualTime;
}

const byConnection = new WeakMap<Connection, UsualTimes>();

export function usualTimes(connection: Connection): UsualTimes {
  let times = byConnection.get(connection);
  if (times === undefined) {
    times = { start: new UsualTime(), stop: new UsualTime() };
    byConnection.set(connection, times);
  }
  return times;
}

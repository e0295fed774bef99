/** Lets through so many in any stretch of so many seconds. */
export class CreateRate {
  #times: number[] = [];

  /** Undefined when the call may pass, which then counts; else in how many seconds to come again. */
  refuse({
    count,
    seconds,
  }: {
    readonly count: number;
    readonly seconds: number;
  }): number | undefined {
    const now = performance.now();
    this.#times = this.#times.filter((time) => now - time < seconds * 1000);
    const oldest = this.#times.at(-count);
    if (oldest !== undefined) return Math.max(0.001, seconds - (now - oldest) / 1000);
    this.#times.push(now);
    return undefined;
  }
}

/** Whether an engine is busy with what somebody waits for; work ahead of need gives way to that. */
export class Activity {
  #running = 0;
  #changedAt = performance.now();

  /** Counts until the promise settles, however it does. Answers the promise. */
  during<T>(work: Promise<T>): Promise<T> {
    this.#running += 1;
    this.#changedAt = performance.now();
    const end = (): void => {
      this.#running -= 1;
      this.#changedAt = performance.now();
    };
    work.then(end, end);
    return work;
  }

  /** Whether several things are under way at once. */
  get isCrowded(): boolean {
    return this.#running > 1;
  }

  /** For how long nothing has been under way. */
  get quietMilliseconds(): number {
    return this.#running > 0 ? 0 : performance.now() - this.#changedAt;
  }
}

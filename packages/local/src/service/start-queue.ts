/** Beyond this, starting more at once only makes each of them later. */
const MAX_STARTING = 8;

/** Starts sandboxes in the order of their creation, a few at once. */
export class StartQueue {
  readonly #waiting: (() => Promise<void>)[] = [];
  #starting = 0;

  /** `start` must not reject. */
  add(start: () => Promise<void>): void {
    this.#waiting.push(start);
    this.#startNext();
  }

  #startNext(): void {
    if (this.#starting >= MAX_STARTING) return;
    const start = this.#waiting.shift();
    if (start === undefined) return;
    this.#starting += 1;
    void start().finally(() => {
      this.#starting -= 1;
      this.#startNext();
    });
  }
}

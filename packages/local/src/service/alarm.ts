/** Node's timers fire at once when asked for more. */
const LONGEST_TIMER_MILLISECONDS = 2 ** 31 - 1;

/** A timer that may be longer than Node's 24.8 days. */
export class Alarm {
  readonly #dueAt: number;
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(seconds: number, ring: () => void) {
    this.#dueAt = performance.now() + seconds * 1000;
    this.#ring = ring;
    this.#arm();
  }

  cancel(): void {
    clearTimeout(this.#timer);
  }

  #arm(): void {
    const left = this.#dueAt - performance.now();
    if (left > LONGEST_TIMER_MILLISECONDS) {
      this.#timer = setTimeout(() => this.#arm(), LONGEST_TIMER_MILLISECONDS);
    } else {
      this.#timer = setTimeout(this.#ring, Math.max(0, left));
    }
  }
}

/**
 * How long a writer waits for one reader in all. A reader that pauses for this long, on a busy
 * machine, loses nothing; one that has stopped holds nobody up for longer, and never again.
 */
const MOST_CREDIT_MILLISECONDS = 500;

/** What a reader earns with each message that it takes. */
const EARNED_MILLISECONDS = 20;

/** One stream that reads a log. */
export interface LogReader {
  /** It has taken everything before that offset. */
  moveTo(offset: number): void;
  leave(): void;
}

interface Reader {
  offset: number;
  creditMilliseconds: number;
}

/**
 * Lets a burst of output wait for those who are reading it: they would lose some otherwise, though
 * they read as fast as they can. Whoever stands still is not waited for.
 */
export class LogReaders {
  readonly #readers = new Set<Reader>();
  readonly #waiting = new Set<() => void>();

  join(offset: number): LogReader {
    const reader: Reader = { offset, creditMilliseconds: MOST_CREDIT_MILLISECONDS };
    this.#readers.add(reader);
    return {
      moveTo: (next) => {
        reader.offset = next;
        const earned = reader.creditMilliseconds + EARNED_MILLISECONDS;
        reader.creditMilliseconds = Math.min(MOST_CREDIT_MILLISECONDS, earned);
        this.#wake();
      },
      leave: () => {
        this.#readers.delete(reader);
        this.#wake();
      },
    };
  }

  /** Resolves when no reader that has credit is before that offset. */
  async passed(offset: number): Promise<void> {
    for (;;) {
      const behind = [...this.#readers].filter(
        (reader) => reader.offset < offset && reader.creditMilliseconds > 0,
      );
      if (behind.length === 0) return;
      const since = performance.now();
      const least = Math.min(...behind.map(({ creditMilliseconds }) => creditMilliseconds));
      await this.#move(least);
      const waited = performance.now() - since;
      for (const reader of behind) reader.creditMilliseconds -= waited;
    }
  }

  #move(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const settle = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(settle);
        resolve();
      };
      const timer = setTimeout(settle, milliseconds);
      this.#waiting.add(settle);
    });
  }

  #wake(): void {
    for (const settle of [...this.#waiting]) settle();
  }
}

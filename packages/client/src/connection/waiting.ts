/** The largest delay that a Node timer can hold; a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export function timerDelayMs(seconds: number): number {
  return Math.min(Math.max(0, Math.ceil(seconds * 1000)), LONGEST_TIMER_MS);
}

/** Resolves after the time. Rejects with the signal's reason when that comes first. */
export function pause(seconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, timerDelayMs(seconds));
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** Settles like the promise, or rejects with the signal's reason; the promise itself goes on. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** Whether the promise settles within the time. It goes on either way, and its outcome is not told. */
export async function settlesWithin(promise: Promise<unknown>, seconds: number): Promise<boolean> {
  const late = new AbortController();
  const settled = promise.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([settled, pause(seconds, late.signal).then(() => false)]);
  } finally {
    late.abort(new Error("settled"));
  }
}

/** A limit in time together with the caller's own signal. Dispose of it when the work is done. */
export class Deadline implements Disposable {
  readonly signal: AbortSignal;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #endsAt: number;
  #expired = false;

  /** @param onExpiry makes the reason that the signal aborts with. Infinity never expires. */
  constructor(seconds: number, signal: AbortSignal | undefined, onExpiry: () => Error) {
    this.#endsAt = performance.now() + seconds * 1000;
    if (Number.isFinite(seconds)) {
      this.#timer = setTimeout(() => {
        this.#expired = true;
        this.#controller.abort(onExpiry());
      }, timerDelayMs(seconds));
    }
    this.signal =
      signal === undefined
        ? this.#controller.signal
        : AbortSignal.any([signal, this.#controller.signal]);
  }

  get expired(): boolean {
    return this.#expired;
  }

  get remainingSeconds(): number {
    return Math.max(0, (this.#endsAt - performance.now()) / 1000);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

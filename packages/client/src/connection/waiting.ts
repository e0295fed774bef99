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

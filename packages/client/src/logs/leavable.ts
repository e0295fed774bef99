/**
 * An iterator that can be left at any time. An async generator cannot: its `return()` waits for the
 * item that somebody asked for, and a silent log may not have one for hours.
 */
export function leavable<T>(
  open: (left: AbortSignal) => AsyncGenerator<T, void, undefined>,
): AsyncIterableIterator<T, void, undefined> {
  const left = new AbortController();
  const reason = new Error("the log is no longer read");
  const items = open(left.signal);
  const over = { done: true, value: undefined } as const;
  return {
    async next() {
      try {
        return await items.next();
      } catch (error) {
        if (error === reason) return over;
        throw error;
      }
    },
    async return() {
      left.abort(reason);
      await items.return().catch(() => {});
      return over;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

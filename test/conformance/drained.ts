/** Reads a stream to its end, for those who only want to know how it ends. */
export async function drained(stream: AsyncIterable<unknown>): Promise<void> {
  const messages = stream[Symbol.asyncIterator]();
  while ((await messages.next()).done !== true);
}

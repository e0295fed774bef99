/** What is really held: without the garbage, in a process that was started with `--expose-gc`. */
export async function collectedMemory(): Promise<NodeJS.MemoryUsage> {
  // The second time takes what the first one's finalizers have let go of.
  for (const _ of [1, 2]) {
    globalThis.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage();
}

import { setFlagsFromString } from "node:v8";

/**
 * Keeps this process's heap for new objects as small as it is. V8 would let it grow to 128 MiB as
 * long as the machine has memory, and never give that back; what a call leaves behind is garbage at
 * once, and a collection of so little takes no noticeable time.
 */
export function keepHeapSmall(): void {
  const [major = 0] = process.versions.v8.split(".").map(Number);
  // An unknown flag is complained about on stderr: it is known to be there up to Node 24.
  if (major <= 13) setFlagsFromString("--semi-space-growth-factor=1");
}

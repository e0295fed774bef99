import type { OutputPipe } from "../spawner/output-pipe.ts";

export interface CollectedOutput {
  readonly bytes: Buffer;
  /** All that was written, also what was not kept. */
  readonly producedBytes: number;
}

/** Reads a stream to its end and keeps the first `maxBytes`; the rest is counted, not kept. */
export async function collectOutput(pipe: OutputPipe, maxBytes: number): Promise<CollectedOutput> {
  const chunks: Buffer[] = [];
  let kept = 0;
  let producedBytes = 0;
  for (;;) {
    const chunk = await pipe.read();
    if (chunk === undefined) return { bytes: Buffer.concat(chunks, kept), producedBytes };
    producedBytes += chunk.length;
    if (kept >= maxBytes) continue;
    const part = chunk.subarray(0, maxBytes - kept);
    // A small view would keep its whole read buffer alive.
    chunks.push(part.length < chunk.length ? Buffer.from(part) : part);
    kept += part.length;
  }
}

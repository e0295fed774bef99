/** A large file up and down, in a process that does nothing else; prints what that needs in memory. */
import { Connection, Sandbox } from "@tidybox/client";

const MIB = 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;
const [sizeMiB] = process.argv.slice(2).map(Number);

const connection = new Connection();
await using sandbox = await Sandbox.run({ connection });

async function move(totalBytes: number): Promise<void> {
  await sandbox.writeFile(
    "/workspace/large.bin",
    (async function* () {
      const chunk = new Uint8Array(CHUNK_BYTES).fill(7);
      for (let sent = 0; sent < totalBytes; sent += chunk.length) yield chunk;
    })(),
  );
  for await (const _ of sandbox.readFileStream("/workspace/large.bin"));
}

// What is loaded and compiled with the first bytes is not what a large file needs.
await move(8 * MIB);
const before = process.memoryUsage.rss();
let peak = before;
const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 10);
await move((sizeMiB ?? 0) * MIB);
clearInterval(timer);
process.stdout.write(JSON.stringify({ beforeBytes: before, peakBytes: peak }));

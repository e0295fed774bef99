import type { Compression } from "@connectrpc/connect/protocol";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";

/** Of messages: each takes a moment, and up to 100 MiB that its few kilobytes have become. */
const MAX_AT_ONCE = 2;

/**
 * What a client may compress with. Messages are unpacked one or two at a time, so that many small
 * ones that become large cost no more memory than two of them.
 */
export function unpackingInTurns(): Compression[] {
  const waiting: (() => void)[] = [];
  let running = 0;
  const inTurn = async <T>(unpack: () => Promise<T>): Promise<T> => {
    // Who is let go on takes over the turn of the one who lets it.
    if (running < MAX_AT_ONCE) running += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await unpack();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
  return [compressionGzip, compressionBrotli].map((compression) => ({
    name: compression.name,
    compress: (bytes) => compression.compress(bytes),
    decompress: (bytes, readMaxBytes) => inTurn(() => compression.decompress(bytes, readMaxBytes)),
  }));
}

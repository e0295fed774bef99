import type { FileHandle } from "node:fs/promises";
import { SandboxFileError } from "./sandbox-file-error.ts";

const FIRST_READ_BYTES = 64 * 1024;

/**
 * Reads an open file to its end, at most `maxSizeBytes`. The size is a hint only: files below
 * `/proc` say 0, and a file can grow while it is read.
 */
export async function readBounded(
  file: FileHandle,
  path: string,
  maxSizeBytes: number,
): Promise<Uint8Array> {
  const stat = await file.stat();
  if (stat.isDirectory()) throw new SandboxFileError("is_directory", `${path} is a directory`);
  if (!stat.isFile()) throw new SandboxFileError("unusable_path", `${path} is not a regular file`);
  if (stat.size > maxSizeBytes) throw tooLarge(path, stat.size);
  const chunks: Buffer[] = [];
  let total = 0;
  for (let expected = stat.size + 1; ; expected = FIRST_READ_BYTES) {
    const buffer = Buffer.allocUnsafe(expected);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
    if (bytesRead === 0) break;
    total += bytesRead;
    if (total > maxSizeBytes) throw tooLarge(path, Math.max(total, (await file.stat()).size));
    chunks.push(buffer.subarray(0, bytesRead));
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, total);
}

function tooLarge(path: string, sizeBytes: number): SandboxFileError {
  return new SandboxFileError("too_large", `${path} is too large`, { sizeBytes });
}

import type { FileHandle } from "node:fs/promises";
import { VolumeArchiveError } from "../volume-archive-error.ts";

/** What of tar's words is kept. */
export const SAID_BYTES = 500;

/** tar's own: some files changed, or went, while they were read. What leads to it says 1, too. */
const FILES_CHANGED = 1;

/** The mark at the end of every archive. */
const END_BYTES = 1024;

/**
 * Throws VolumeArchiveError unless tar has come to its end. Its code alone does not tell: of what
 * leads to it (bwrap, nsenter) 1 means that there was no tar, or that its sandbox went away.
 */
export async function checkArchive(archive: FileHandle, code: number, said: string): Promise<void> {
  const byTar = said !== "" && said.split("\n").every((line) => line.startsWith("tar: "));
  const ended = code === 0 || (code === FILES_CHANGED && byTar);
  if (ended && (await endsWithMark(archive))) return;
  throw new VolumeArchiveError("failed", `tar ended with code ${code}: ${said}`);
}

async function endsWithMark(archive: FileHandle): Promise<boolean> {
  const { size } = await archive.stat();
  if (size < END_BYTES || size % 512 !== 0) return false;
  const end = Buffer.alloc(END_BYTES, 1);
  const { bytesRead } = await archive.read(end, 0, END_BYTES, size - END_BYTES);
  return bytesRead === END_BYTES && end.every((byte) => byte === 0);
}

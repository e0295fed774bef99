import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import * as v from "valibot";

export const OWNER_FILE = "owner.json";

/** More than any label makes; a planted endless file is not read. */
const MAX_OWNER_BYTES = 16 * 1024;

/** Who made a state folder. No secret: the folder is private, but it outlives a crash. */
export const OwnerSchema = v.object({
  pid: v.pipe(v.number(), v.integer(), v.minValue(1)),
  startTime: v.string(),
  bootId: v.string(),
  pidNamespace: v.string(),
  label: v.optional(v.string()),
});

export type Owner = v.InferOutput<typeof OwnerSchema>;

/** Reads `owner.json` without following a link or waiting on a fifo; undefined when it is none. */
export async function readOwner(folder: string): Promise<Owner | undefined> {
  let file: FileHandle | undefined;
  try {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    file = await open(`${folder}/${OWNER_FILE}`, flags);
    const stat = await file.stat();
    if (!stat.isFile() || stat.size > MAX_OWNER_BYTES) return undefined;
    const buffer = Buffer.alloc(stat.size);
    await file.read(buffer, 0, stat.size, 0);
    const parsed = v.safeParse(OwnerSchema, JSON.parse(buffer.toString("utf8")));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined;
  } finally {
    await file?.close();
  }
}

import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { promisify } from "node:util";

const REMOVE_SECONDS = 60;

/** Removes a folder that sandboxes wrote to. Nothing is followed out of it. */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true, maxRetries: 3, retryDelay: 20 });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if ((code !== "EACCES" && code !== "EPERM") || process.platform !== "linux") throw error;
    // `chmod 000` in a sandbox keeps its owner out; root of a user namespace is not kept out.
    await promisify(execFile)("unshare", ["-Ur", "rm", "-rf", "--", path], {
      timeout: REMOVE_SECONDS * 1000,
    });
  }
}

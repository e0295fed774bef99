import { lstatSync, statSync } from "node:fs";

/**
 * Whether the path of a sandbox's working directory leads to another directory by now than its first
 * process is in: a test moved it, or made it anew. Commands enter where that process is, and would
 * begin in the old one.
 *
 * Nothing of the sandbox is followed here: its links mean something else outside.
 */
export function workingDirectoryMoved(innerPid: number, path: string): boolean {
  try {
    const named = lstatSync(`/proc/${innerPid}/root${path}`);
    if (named.isSymbolicLink()) return true;
    const entered = statSync(`/proc/${innerPid}/cwd`);
    return named.isDirectory() && (named.ino !== entered.ino || named.dev !== entered.dev);
  } catch {
    // It is gone, or not to be seen: where the first process is is as good as any.
    return false;
  }
}

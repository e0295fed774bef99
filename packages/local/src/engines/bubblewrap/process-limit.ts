import { existsSync, readFileSync } from "node:fs";
import type { ImageRoot } from "./image-root.ts";

/**
 * How many processes and threads a sandbox has at most, so that a fork bomb does not take the
 * machine. The kernel counts them for each user namespace, of which every sandbox has its own.
 */
export const MAX_PROCESSES = 4096;

let known: number | undefined;

/** No more than half of what this account may have: beyond its own limit nobody can set one. */
export function processLimit(): number {
  known ??= Math.min(MAX_PROCESSES, Math.floor(ownLimit() / 2));
  return known;
}

function ownLimit(): number {
  try {
    const limits = readFileSync("/proc/self/limits", "latin1");
    const hard = /^Max processes\s+\S+\s+(\d+)/m.exec(limits)?.[1];
    return hard === undefined ? Number.POSITIVE_INFINITY : Number(hard);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/**
 * Words before the program that leads a command in. It costs that command half a millisecond; a
 * waiting shell sets the limit by itself, at no cost.
 */
export function limitedProcesses(root: ImageRoot): readonly string[] {
  if (!existsSync("/usr/bin/prlimit")) return [];
  return [...root.hostProgram("prlimit"), `--nproc=${processLimit()}`, "--"];
}

/** What a waiting shell, which is dash, runs first. Without its limit it is no use. */
export function limitProcessesScript(): string {
  return `ulimit -p ${processLimit()} || exit; `;
}

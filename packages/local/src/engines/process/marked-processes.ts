import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** Passes of the scan: a process may fork between two of them, but not for ever. */
const MAX_PASSES = 50;

/**
 * Kills every process of this account whose environment holds `NAME=value`, again and again until
 * a pass finds none: a group kill misses what called setsid, and a fork bomb outruns one pass.
 * Returns how many were killed. A process that cleared its own environment is not found.
 */
export function killMarkedProcesses(marker: string): number {
  let killed = 0;
  for (let pass = 0; pass < MAX_PASSES; pass += 1) {
    let found = 0;
    for (const pid of markedProcesses(marker)) {
      if (pid === process.pid) continue;
      try {
        process.kill(pid, "SIGKILL");
        found += 1;
      } catch {
        // Gone, or another account's.
      }
    }
    if (found === 0) return killed;
    killed += found;
  }
  return killed;
}

/** A marker as an environment has it. */
export function variableOf(marker: string): Record<string, string> {
  const at = marker.indexOf("=");
  return { [marker.slice(0, at)]: marker.slice(at + 1) };
}

/** Live processes with the marker. Zombies have no environment, so they do not count. */
export function markedProcesses(marker: string): readonly number[] {
  return process.platform === "linux" ? scanProc(marker) : scanPs(marker);
}

function scanProc(marker: string): readonly number[] {
  const needle = Buffer.from(`${marker}\0`);
  const found: number[] = [];
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    try {
      const environment = readFileSync(`/proc/${pid}/environ`);
      const at = environment.indexOf(needle);
      if (at === 0 || (at > 0 && environment[at - 1] === 0)) found.push(pid);
    } catch {
      // Another account's, or gone.
    }
  }
  return found;
}

function scanPs(marker: string): readonly number[] {
  const listing = execFileSync("ps", ["-axEww", "-o", "pid=,command="], {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    timeout: 5000,
    stdio: ["ignore", "pipe", "ignore"],
  });
  return listing
    .split("\n")
    .filter((line) => ` ${line} `.includes(` ${marker} `))
    .map((line) => Number.parseInt(line, 10))
    .filter((pid) => Number.isInteger(pid));
}

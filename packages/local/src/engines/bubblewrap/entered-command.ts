import { readFileSync } from "node:fs";
import type { SpawnedProcess } from "../../spawner/spawner.ts";

/** How often to look for the command of a process that has only just been started. */
const CHILD_LOOKS = 40;
const CHILD_LOOK_MILLISECONDS = 5;

/** Becoming the command takes a few milliseconds; whoever waits for it is on the way of a create. */
const LAUNCH_LOOKS = 60;
const LAUNCH_LOOK_MILLISECONDS = 1;

/** What the command's process is before it is the command. */
const ON_THE_WAY = /^(nsenter|prlimit|setpriv|env|dash|ld-(linux|musl).*)$/;

/**
 * SIGTERM to the command, which is the only child of its nsenter: nsenter does not forward
 * signals, and the whole group would end nsenter and leave the command running.
 */
export async function terminateCommand(spawned: SpawnedProcess): Promise<void> {
  let over = false;
  void spawned.exited.then(() => (over = true));
  for (let look = 0; look < CHILD_LOOKS; look += 1) {
    const child = onlyChild(spawned.pid);
    if (over) return;
    if (child !== undefined) {
      try {
        process.kill(child, "SIGTERM");
      } catch {
        // It ended a moment ago.
      }
      return;
    }
    await pause(CHILD_LOOK_MILLISECONDS);
  }
}

function onlyChild(pid: number): number | undefined {
  try {
    const child = Number.parseInt(readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1"), 10);
    return Number.isInteger(child) ? child : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Resolves when the command has taken the place of what leads to it, or has ended. Bounded: for a
 * command that is itself called `env`, or a machine that hides its processes, nothing is seen.
 */
export async function commandLaunched(spawned: SpawnedProcess): Promise<void> {
  const ended = spawned.exited.then(() => true);
  for (let look = 0; look < LAUNCH_LOOKS; look += 1) {
    const child = onlyChild(spawned.pid);
    const name = child === undefined ? undefined : nameOf(child);
    if (name !== undefined && !ON_THE_WAY.test(name)) return;
    if (await Promise.race([ended, pause(LAUNCH_LOOK_MILLISECONDS)])) return;
  }
}

function nameOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, "latin1").trim();
  } catch {
    return undefined;
  }
}

/** Resolves to false, after so long. */
function pause(milliseconds: number): Promise<boolean> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds, false));
}

import { readFileSync } from "node:fs";

/** A stop takes effect in microseconds, but for a process that waits for a disk. */
const STOP_MILLISECONDS = 20;

/** A signal to a process, or to a group where negative; none of our business when it has gone. */
export function kill(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch {
    // It ended a moment ago.
  }
}

/**
 * Kills what a leader (nsenter) leads into a sandbox, and lets the leader reap it. Were the leader
 * killed too, its child would be a zombie of this machine's first process, and the kernel lets a
 * sandbox end only when none of its processes is left to reap: in a second or two at best, and never
 * in a container whose first process reaps nobody. False when it leads nobody (yet).
 */
export function killLed(leader: number): boolean {
  const led = ledBy(leader);
  if (led === undefined) return false;
  kill(led, "SIGKILL");
  // It stopped when what it leads did, and would never reap it.
  kill(leader, "SIGCONT");
  return true;
}

/**
 * Kills a sandbox that is only being made. Its first process waits for the one that has started it
 * before it says with whom it wants to die: were that one killed alone, it would wait for ever.
 */
export function killUnfinished(outer: number): void {
  // So that nothing is started between the look and the kill: whoever was just starting somebody
  // stops behind that, and has a child only then.
  kill(outer, "SIGSTOP");
  const until = performance.now() + STOP_MILLISECONDS;
  while (isRunning(outer) && performance.now() < until);
  for (const child of childrenOf(outer)) killUnfinished(child);
  kill(outer, "SIGKILL");
}

/**
 * nsenter stops itself when its child is stopped, and nobody tells it when that goes on or dies: a
 * command that stopped itself once would never end, and with it neither would its sandbox. To be
 * called now and then.
 */
export function wakeLeader(leader: number): void {
  if (!isStopped(leader)) return;
  const led = ledBy(leader);
  if (led === undefined || !isStopped(led)) kill(leader, "SIGCONT");
}

function ledBy(leader: number): number | undefined {
  const children = childrenOf(leader);
  return children.length === 1 ? children[0] : undefined;
}

function childrenOf(pid: number): readonly number[] {
  try {
    const words = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").split(" ");
    return words.map(Number).filter((child) => child > 0);
  } catch {
    return [];
  }
}

function isStopped(pid: number): boolean {
  return stateOf(pid) === "T";
}

/** Neither stopped nor dead, nor gone. */
function isRunning(pid: number): boolean {
  return !["T", "Z", "X", undefined].includes(stateOf(pid));
}

function stateOf(pid: number): string | undefined {
  try {
    return /\) (\S) /.exec(readFileSync(`/proc/${pid}/stat`, "latin1"))?.[1];
  } catch {
    return undefined;
  }
}

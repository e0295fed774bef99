import { readFile, readdir, readlink } from "node:fs/promises";
import { execa } from "execa";

/** A process of this machine, as far as this user may look into it. */
export interface MachineProcess {
  readonly pid: number;
  readonly parentPid: number;
  /** Tells two processes apart that had the same pid one after the other. */
  readonly startTime: string;
  readonly argv: readonly string[];
}

/** What else Linux tells about a process; empty where it may not be read or there is no /proc. */
export interface ProcessDetails {
  readonly environment: ReadonlyMap<string, string>;
  readonly workingDirectory: string;
  /** Its mount table, which names the host folders that a sandbox was made of. */
  readonly mounts: string;
}

/** All processes except zombies, which are dead and only wait for their parent to notice. */
export async function listProcesses(): Promise<readonly MachineProcess[]> {
  return process.platform === "linux" ? listFromProc() : listFromPs();
}

async function listFromProc(): Promise<readonly MachineProcess[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const all = await Promise.all(pids.map(readFromProc));
  return all.filter((found) => found !== undefined);
}

/** Undefined when it has ended meanwhile. */
async function readFromProc(pid: number): Promise<MachineProcess | undefined> {
  const [stat, commandLine] = await Promise.all([
    readOrEmpty(`/proc/${pid}/stat`),
    readOrEmpty(`/proc/${pid}/cmdline`),
  ]);
  // The name in parentheses may itself hold spaces and parentheses; fields count from the last.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, parentPid] = fields;
  const startTime = fields[19];
  if (state === undefined || parentPid === undefined || startTime === undefined) return undefined;
  if (state === "Z" || state === "X") return undefined;
  return {
    pid,
    parentPid: Number(parentPid),
    startTime,
    argv: commandLine.split("\0").filter((argument) => argument !== ""),
  };
}

async function listFromPs(): Promise<readonly MachineProcess[]> {
  const format = ["-axww", "-o", "pid=,ppid=,state=,lstart=,command="];
  const result = await execa("ps", format, { timeout: 10_000 });
  const line = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(\S+\s+\S+\s+\S+\s+\S+\s+\S+)\s+(.*)$/;
  const processes: MachineProcess[] = [];
  for (const text of result.stdout.split("\n")) {
    const [, pid, parentPid, state, startTime, command] = line.exec(text) ?? [];
    if (pid === undefined || startTime === undefined || state?.startsWith("Z")) continue;
    const argv = (command ?? "").split(" ");
    processes.push({ pid: Number(pid), parentPid: Number(parentPid), startTime, argv });
  }
  return processes;
}

export async function readDetails(pid: number): Promise<ProcessDetails> {
  const [environ, workingDirectory, mounts] = await Promise.all([
    readOrEmpty(`/proc/${pid}/environ`),
    readlink(`/proc/${pid}/cwd`).catch(() => ""),
    readOrEmpty(`/proc/${pid}/mountinfo`),
  ]);
  const environment = new Map<string, string>();
  for (const variable of environ.split("\0")) {
    const equals = variable.indexOf("=");
    if (equals > 0) environment.set(variable.slice(0, equals), variable.slice(equals + 1));
  }
  return { environment, workingDirectory, mounts };
}

/** A process may end, or belong to somebody else, between the listing and the look. */
async function readOrEmpty(file: string): Promise<string> {
  return readFile(file, "utf8").catch(() => "");
}

/** `root` and everything that it started and that has not cut itself loose from it since. */
export function withDescendants(
  root: number,
  processes: readonly MachineProcess[],
): readonly MachineProcess[] {
  const tree = processes.filter((known) => known.pid === root);
  // Grows while it is walked.
  for (const parent of tree) {
    tree.push(...processes.filter((known) => known.parentPid === parent.pid));
  }
  return tree;
}

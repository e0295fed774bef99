import { execFileSync } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";

/** Names one process for ever: pids come back, pid and start time together do not. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Linux: clock ticks since boot. Elsewhere: what `ps` prints. */
  readonly startTime: string;
  /** Differs after every boot; empty where the system does not tell. */
  readonly bootId: string;
  /** In which `pid` means this process; empty where the system has no such thing. */
  readonly pidNamespace: string;
}

/** `unknown`: its pid means something else here, so this process cannot see whether it lives. */
export type Liveness = "alive" | "gone" | "unknown";

export function thisProcess(): ProcessIdentity {
  return identityOf(process.pid) ?? { pid: process.pid, startTime: "", ...machine() };
}

/** Of another process that lives now; undefined when it does not. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  const startTime = startTimeOf(pid);
  return startTime === undefined ? undefined : { pid, startTime, ...machine() };
}

function machine(): Pick<ProcessIdentity, "bootId" | "pidNamespace"> {
  return { bootId: bootId(), pidNamespace: pidNamespace() };
}

/** Whether exactly that process still lives. Two containers may share a temp folder, not pids. */
export function livenessOf(identity: ProcessIdentity): Liveness {
  if (identity.bootId !== bootId()) return "gone";
  if (identity.pidNamespace !== pidNamespace()) return "unknown";
  return startTimeOf(identity.pid) === identity.startTime ? "alive" : "gone";
}

function startTimeOf(pid: number): string | undefined {
  try {
    if (process.platform !== "linux") {
      return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], {
        encoding: "utf8",
        timeout: 5000,
      }).trim();
    }
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name in parentheses may hold spaces: fields are counted behind it. Field 3 comes first.
    const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state === "Z" || state === "X" ? undefined : fields[18];
  } catch {
    return undefined;
  }
}

function pidNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  } catch {
    return "";
  }
}

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { kill } from "./leader.ts";

/** Passes: a process may fork between two of them, but not for ever. */
const MAX_PASSES = 50;

interface Listed {
  readonly pid: number;
  readonly parent: number;
  /** Where there is no /proc: the process group, which is as good, as all jobs are descendants. */
  readonly session: number;
  readonly zombie: boolean;
  /** It leads into a sandbox (nsenter): see leader.ts. */
  readonly leads: boolean;
}

/**
 * Kills a program in a terminal with everything that it started there. One group is not enough: a
 * shell makes one for each job, and what leads into a sandbox is in another session than the shell.
 */
export function killTerminalProcesses(pid: number): void {
  const sessions = new Set<number>();
  for (let pass = 0; pass < MAX_PASSES; pass += 1) {
    const all = list();
    const own = all.find((process_) => process_.pid === process.pid)?.session;
    const tree = new Set([pid]);
    for (let size = 0; size !== tree.size;) {
      size = tree.size;
      for (const each of all) if (tree.has(each.parent)) tree.add(each.pid);
    }
    for (const each of all) {
      if (tree.has(each.pid) && each.session !== own) sessions.add(each.session);
    }
    const found = all.filter(
      (each) => !each.zombie && (tree.has(each.pid) || sessions.has(each.session)),
    );
    const leading = new Set(
      found.filter((each) => each.leads && all.some(({ parent }) => parent === each.pid)),
    );
    // They are needed until they have reaped what they lead, and end then.
    for (const leader of leading) kill(leader.pid, "SIGCONT");
    const victims = found.filter((each) => !leading.has(each));
    if (victims.length === 0) return;
    for (const victim of victims) kill(victim.pid, "SIGKILL");
  }
}

function list(): readonly Listed[] {
  return process.platform === "linux" ? listProc() : listPs();
}

function listProc(): readonly Listed[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "latin1");
      const [state, parent, , session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return [
        {
          pid: Number(name),
          parent: Number(parent),
          session: Number(session),
          zombie: state === "Z" || state === "X",
          leads: stat.includes("(nsenter)"),
        },
      ];
    } catch {
      // It ended a moment ago.
      return [];
    }
  });
}

function listPs(): readonly Listed[] {
  const table = execFileSync("ps", ["-axo", "pid=,ppid=,pgid=,state="], {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    timeout: 5000,
    stdio: ["ignore", "pipe", "ignore"],
  });
  return table.split("\n").flatMap((line) => {
    const [pid, parent, session, state] = line.trim().split(/\s+/);
    if (pid === undefined || !/^\d+$/.test(pid)) return [];
    return [
      {
        pid: Number(pid),
        parent: Number(parent),
        session: Number(session),
        zombie: state?.startsWith("Z") === true,
        leads: false,
      },
    ];
  });
}

import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { MachineProcess } from "./processes.ts";
import { listProcesses, readDetails } from "./processes.ts";
import { workspaceRoot } from "./workspace.ts";

/** The environment variable that every process of a test suite inherits. */
export const suiteMarker = "TIDYBOX_TEST_SUITE";

/** What a suite could leave behind, and how it is told from other people's. */
export interface SuiteScope {
  /** The value of {@link suiteMarker} in this suite's processes. */
  readonly suiteId: string;
  /** This suite's own folder for temporary files; whatever names it is the suite's. */
  readonly ownFolder: string;
  /** Folders looked through for what has `tidybox` in its name. */
  readonly temporaryFolders: readonly string[];
}

export type Leftover = {
  /** The same thing has the same key in two looks. */
  readonly key: string;
  readonly description: string;
} & (
  | {
      readonly kind: "process";
      readonly pid: number;
      /** Beyond doubt of this suite. */ readonly certain: boolean;
    }
  | { readonly kind: "folder" | "mount" }
);

/** What is there now that looks like ours; taken before a suite, it is not the suite's. */
export async function findTraces(scope: SuiteScope): Promise<readonly Leftover[]> {
  const [processes, folders, mounts] = await Promise.all([
    findProcesses(scope),
    findFolders(scope),
    findMounts(),
  ]);
  return [...processes, ...folders, ...mounts];
}

/**
 * What the suite has left: traces that were not there `before`. What is just ending gets
 * `settleSeconds` (default 10) to be gone.
 */
export async function findLeftovers(
  before: readonly Leftover[],
  scope: SuiteScope,
  settleSeconds = 10,
): Promise<readonly Leftover[]> {
  const known = new Set(before.map((trace) => trace.key));
  const deadline = performance.now() + settleSeconds * 1000;
  for (;;) {
    const left = (await findTraces(scope)).filter((trace) => !known.has(trace.key));
    if (left.length === 0 || performance.now() >= deadline) return left;
    await sleep(250);
  }
}

/** Ends the processes among `leftovers` that are beyond doubt the suite's, and only those. */
export function endProcesses(leftovers: readonly Leftover[]): void {
  for (const leftover of leftovers) {
    if (leftover.kind !== "process" || !leftover.certain) continue;
    try {
      process.kill(leftover.pid, "SIGKILL");
    } catch {
      // Gone by itself meanwhile, or out of our reach; it has been reported either way.
    }
  }
}

async function findProcesses(scope: SuiteScope): Promise<readonly Leftover[]> {
  const processes = await listProcesses();
  const ancestors = ancestorsOf(process.pid, processes);
  const found: Leftover[] = [];
  for (const candidate of processes) {
    if (candidate.pid === process.pid || ancestors.has(candidate.pid)) continue;
    const belongs = await belongsToSuite(candidate, ancestors, scope);
    if (belongs === "no") continue;
    found.push({
      kind: "process",
      pid: candidate.pid,
      certain: belongs === "certainly",
      key: `process ${candidate.pid} ${candidate.startTime}`,
      description: `process ${candidate.pid}: ${candidate.argv.join(" ").slice(0, 160)}`,
    });
  }
  return found;
}

async function belongsToSuite(
  candidate: MachineProcess,
  ancestors: ReadonlySet<number>,
  scope: SuiteScope,
): Promise<"certainly" | "probably" | "no"> {
  const details = await readDetails(candidate.pid);
  const suite = details.environment.get(suiteMarker);
  if (suite !== undefined) return suite === scope.suiteId ? "certainly" : "no";

  // A sandbox has no environment of ours, but is made of folders below the suite's own.
  const places = [details.workingDirectory, details.mounts];
  if (places.some((place) => place.includes(scope.ownFolder))) return "certainly";
  // Its name alone proves nothing: somebody may be looking at the folder, or removing it.
  const named = candidate.argv.some((argument) => argument.includes(scope.ownFolder));

  // Left over means orphaned: a process whose parent lives and is not one of our ancestors is
  // somebody's work in progress, for instance of a second terminal in the same checkout.
  if (!ancestors.has(candidate.parentPid)) return "no";
  return named || looksLikeOurs(candidate.argv) || hasOurVariables(details.environment)
    ? "probably"
    : "no";
}

function looksLikeOurs(argv: readonly string[]): boolean {
  const line = argv.join(" ");
  return (
    argv.some((argument) => argument.startsWith(`${workspaceRoot}/`)) ||
    /(^|[\s/])tidybox(\s|-|\/|$)/.test(line) ||
    /\b(spawn-helper|relay-main|coordinator-main)\.c?js\b/.test(line)
  );
}

function hasOurVariables(environment: ReadonlyMap<string, string>): boolean {
  return [...environment.keys()].some((name) => name.startsWith("TIDYBOX_"));
}

/** Includes pid 1, to which orphans go, also where this process's chain cannot be followed so far. */
function ancestorsOf(pid: number, processes: readonly MachineProcess[]): ReadonlySet<number> {
  const parents = new Map(processes.map((known) => [known.pid, known.parentPid]));
  const ancestors = new Set([1]);
  let parent = parents.get(pid);
  while (parent !== undefined && parent > 0 && !(ancestors.has(parent) && parent !== 1)) {
    ancestors.add(parent);
    parent = parents.get(parent);
  }
  return ancestors;
}

async function findFolders(scope: SuiteScope): Promise<readonly Leftover[]> {
  const found: Leftover[] = [];
  for (const folder of new Set([scope.ownFolder, ...scope.temporaryFolders])) {
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      if (!name.includes("tidybox") || path === scope.ownFolder) continue;
      found.push({ kind: "folder", key: `folder ${path}`, description: path });
    }
  }
  return found;
}

async function findMounts(): Promise<readonly Leftover[]> {
  if (process.platform !== "linux") return [];
  const mounts = await readFile("/proc/self/mounts", "utf8");
  return mounts
    .split("\n")
    .filter((line) => line.includes("tidybox"))
    .map((line) => ({ kind: "mount", key: `mount ${line}`, description: `mount ${line}` }));
}

import { readFileSync } from "node:fs";
import { until } from "../../support/observer.ts";
import type { Misdeed } from "../suite/plan.ts";
import type { Scene, Strike, Struck, Where } from "./strike.ts";

const DEATH_SECONDS = 60;

/** A test of the suite misbehaves. */
export const strikesByTests: readonly Strike[] = [
  misdeed("test-throws", "a test throws", "throws"),
  misdeed("test-times-out", "a test times out", "times-out"),
  misdeed("hook-hangs", "a hook never ends", "hangs-in-hook"),
  {
    ...misdeed("loop-blocked", "a test blocks the event loop for 10 s", "blocks-the-loop"),
    hits: "nobody",
    exit: () => 0,
  },
  {
    ...misdeed("out-of-memory", "a test allocates until out of memory", "runs-out-of-memory"),
    hits: "worker",
    exit: ({ inBand }) => (inBand ? "SIGABRT" : 1),
    env: { NODE_OPTIONS: "--max-old-space-size=256" },
    endSeconds: 90,
    perform: deathOfTheVictim,
  },
  {
    ...misdeed("process-exit", "a test calls process.exit()", "calls-exit"),
    // Vitest makes an error of it; Jest tries the file again in new workers, three times more.
    exit: ({ inBand }) => (inBand ? 3 : 1),
  },
  misdeed("rejection", "an unhandled rejection", "rejects-unhandled"),
  {
    ...misdeed("bail", "--bail with other workers busy", "throws"),
    plan: { bail: true },
  },
  {
    ...misdeed("force-exit", "--forceExit after a test that failed", "throws"),
    appliesTo: ({ framework }: Where) => framework === "jest",
    plan: { forceExit: true },
  },
  {
    name: "worker-restarts",
    what: "workers are restarted for their memory limit",
    hits: "nobody",
    appliesTo: ({ restartsWorkers }: Where) => restartsWorkers,
    exit: () => 0,
    plan: { tinyMemoryLimit: true },
  },
];

function misdeed(name: string, what: string, does: Misdeed): Strike {
  return { name, what, hits: "test", exit: () => 1, misdeed: does };
}

/** Of its worker; a thread's is not seen from outside, and only the run's end is measured then. */
async function deathOfTheVictim({ noted, where }: Scene): Promise<Struck> {
  const notes = await noted("the misdeed", (all) => all.some(({ kind }) => kind === "misdeed"));
  const pid = notes.find(({ kind }) => kind === "misdeed")?.pid;
  if (pid === undefined || !where.workersAreProcesses) return { atMs: performance.now() };
  await until(
    "the worker's death",
    DEATH_SECONDS,
    () => isRunning(pid),
    (running) => !running,
  );
  return { atMs: performance.now(), workerPids: [pid] };
}

/** A dead one whose parent has not noticed is dead. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

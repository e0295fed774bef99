import type { Misdeed } from "../suite/plan.ts";
import type { Strike, Where } from "./strike.ts";

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
    env: { NODE_OPTIONS: "--max-old-space-size=256" },
    endSeconds: 90,
  },
  misdeed("process-exit", "a test calls process.exit()", "calls-exit"),
  misdeed("rejection", "an unhandled rejection", "rejects-unhandled"),
  {
    ...misdeed("bail", "--bail with other workers busy", "throws"),
    plan: { bail: true },
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

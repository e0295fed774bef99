import { hasEnded } from "./state.ts";
import type { SandboxStatus } from "./status.ts";

/**
 * What ended a sandbox, as far as the service's record tells: its main process, its lifetime, a
 * failure, or a stop by somebody.
 */
export type Ending = "main-process" | "lifetime" | "failure" | "stop";

/** Undefined while it has not ended. */
export function endingOf({
  state,
  createdAt,
  endedAt,
  maxLifetimeSeconds,
}: SandboxStatus): Ending | undefined {
  if (!hasEnded(state)) return undefined;
  const livedMs =
    createdAt === undefined || endedAt === undefined ? 0 : endedAt.getTime() - createdAt.getTime();
  if (maxLifetimeSeconds > 0 && livedMs >= maxLifetimeSeconds * 1000) return "lifetime";
  if (state === "completed") return "main-process";
  return state === "failed" ? "failure" : "stop";
}

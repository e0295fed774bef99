/** How the runner ids of a local service begin: that is how one tells it from the platform. */
export const LOCAL_RUNNER_PREFIX = "local-";

/** Whether a sandbox with this `runner_id` is a local service's; false where none is said. */
export function isLocalRunner(runnerId: string): boolean {
  return runnerId.startsWith(LOCAL_RUNNER_PREFIX);
}

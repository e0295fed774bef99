import { LocalServiceError } from "../error.ts";
import type { Identity } from "./identity.ts";

/**
 * Gives up root, for this whole process and for good. Root of a sandbox is this account on the
 * host: were it root's, every readable bind would show what only root may read, and no limit on
 * processes would hold (local-engine.md, point 5). `groups` are kept, for what the service itself must open.
 */
export function become(identity: Identity, groups: readonly number[] = []): void {
  try {
    process.setgroups?.([...groups]);
    process.setgid?.(identity.gid);
    process.setuid?.(identity.uid);
  } catch (error) {
    throw new LocalServiceError(
      "local_root_not_given_up",
      `the local service could not give up root (to id ${identity.uid}): ${String(error)}. ` +
        "Start it from a process of its own (not a worker thread), or pass keepRoot if sandboxes may act as root of this machine.",
      { cause: error },
    );
  }
}

import { findFirstProcess, type FirstProcess } from "./first-process.ts";
import { findHostLoader } from "./host-loader.ts";

/** What this host's own programs are able to do for sandboxes: the same for every account. */
export interface HostPrograms {
  readonly firstProcess: FirstProcess;
  /** Undefined where they cannot be run by a loader below /usr. */
  readonly loader: string | undefined;
}

/** Runs some of them to see. Never rejects. */
export async function lookAtHostPrograms(): Promise<HostPrograms> {
  const [firstProcess, loader] = await Promise.all([findFirstProcess(), findHostLoader()]);
  return { firstProcess, loader };
}

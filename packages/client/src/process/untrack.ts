import { keyOfSandbox } from "./live-sandbox.ts";
import { processCleanup } from "./process-cleanup.ts";

/** The service has been told to stop it, or it has ended: this process owes it nothing any more. */
export function untrackSandbox(baseUrl: string, sandboxId: string): void {
  processCleanup().drop(keyOfSandbox(baseUrl, sandboxId));
}

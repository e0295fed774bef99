import { readFileSync } from "node:fs";
import { pause, type TestService } from "../../packages/local/src/testing/test-service.ts";

const STILL_MILLISECONDS = 600;

/** Memory of the service's process, seen from outside. */
export function residentBytes({ process: { pid } }: TestService): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

/** A count, once it has stood still above 0 for a while; the case's timeout bounds it. */
export async function standsStill(count: () => number | Promise<number>): Promise<number> {
  let seen = await count();
  let since = performance.now();
  for (;;) {
    await pause(50);
    const next = await count();
    if (next !== seen) since = performance.now();
    else if (seen > 0 && performance.now() - since > STILL_MILLISECONDS) return seen;
    seen = next;
  }
}

import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import * as v from "valibot";
import { livenessOf, thisProcess } from "../../state-folder/process-identity.ts";

export const OWNER_LABEL = "tidybox.owner";
export const SERVICE_LABEL = "tidybox.service";
export const SANDBOX_LABEL = "tidybox.sandbox";

const OwnerSchema = v.object({
  pid: v.pipe(v.number(), v.integer(), v.minValue(1)),
  startTime: v.string(),
  bootId: v.string(),
  pidNamespace: v.string(),
  machine: v.string(),
});

/** On everything that a service makes in Docker: it may outlive the service. */
export function ownerLabels(service: string): Readonly<Record<string, string>> {
  return {
    [OWNER_LABEL]: JSON.stringify({ ...thisProcess(), machine: machine() }),
    [SERVICE_LABEL]: service,
  };
}

/**
 * Whether a service made this that is surely gone. One daemon can serve several machines and
 * containers: of what others made, nobody here knows whether it is still in use.
 */
export function isLeftOver(labels: Readonly<Record<string, string>> | undefined): boolean {
  try {
    const parsed = v.safeParse(OwnerSchema, JSON.parse(labels?.[OWNER_LABEL] ?? ""));
    return (
      parsed.success && parsed.output.machine === machine() && livenessOf(parsed.output) === "gone"
    );
  } catch {
    return false;
  }
}

function machine(): string {
  let id = "";
  try {
    id = readFileSync("/etc/machine-id", "latin1").trim();
  } catch {
    // Its name has to do.
  }
  return `${hostname()} ${id}`.trim();
}

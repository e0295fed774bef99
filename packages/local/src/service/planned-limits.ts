import type { Container } from "@tidybox/protocol";
import type { SandboxPlan } from "../engines/engine.ts";
import { parseQuantity } from "./quantity.ts";

/** What a container may use at most, for engines that can hold it to that. */
export function plannedLimits({
  resources,
  resourceRequirements,
}: Container): NonNullable<SandboxPlan["limits"]> {
  const limits = resources ?? resourceRequirements?.limits;
  return {
    memoryBytes: positive(parseQuantity(limits?.memory ?? "")),
    cpuCores: positive(parseCores(limits?.cpu ?? "")),
  };
}

/** `2`, `0.5` or `500m`. */
function parseCores(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(m?)$/.exec(text);
  if (match?.[1] === undefined) return undefined;
  return Number(match[1]) / (match[2] === "m" ? 1000 : 1);
}

function positive(value: number | undefined): number | undefined {
  return value === undefined || value <= 0 ? undefined : value;
}

import { availableParallelism, totalmem } from "node:os";
import { create } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import {
  type Container,
  ErrorReason,
  type Resources,
  ResourceRequirementsSchema,
  ResourcesSchema,
  type SandboxSpec,
  type SandboxStatus,
} from "@tidybox/protocol";
import { failure, type Violation } from "../failures.ts";
import { parseQuantity } from "../quantity.ts";

type Side = "requests" | "limits";

/** `2`, `0.5` or `500m`, in thousandths of a core; undefined when it is none of these. */
export function parseCpu(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(m?)$/.exec(text);
  if (match?.[1] === undefined) return undefined;
  return Math.round(Number(match[1]) * (match[2] === "m" ? 1 : 1000));
}

/** The bytes that a container may have in memory; undefined when nothing was said. */
export function memoryLimitBytes(container: Container): number | undefined {
  const text = most(container, "memory");
  return text === "" ? undefined : parseQuantity(text);
}

/** The cores that a container may use; undefined when nothing was said. */
export function cpuLimitCores(container: Container): number | undefined {
  const thousandths = parseCpu(most(container, "cpu"));
  return thousandths === undefined ? undefined : thousandths / 1000;
}

/** What is wrong with the quantities of one container; fields are relative to it. */
export function resourceViolations(container: Container): readonly Violation[] {
  const found: Violation[] = [];
  const { resources, resourceRequirements } = container;
  const sides = [
    ["resources", resources],
    ["resource_requirements.requests", resourceRequirements?.requests],
    ["resource_requirements.limits", resourceRequirements?.limits],
  ] as const;
  for (const [field, side] of sides) {
    if (side === undefined) continue;
    if (side.cpu !== "" && (parseCpu(side.cpu) ?? 0) <= 0) {
      const description = `is no number of cores such as 2 or 500m: ${JSON.stringify(side.cpu)}`;
      found.push({ field: `${field}.cpu`, description });
    }
    if (side.memory !== "" && (parseQuantity(side.memory) ?? 0) <= 0) {
      const description = `is no size such as 512Mi: ${JSON.stringify(side.memory)}`;
      found.push({ field: `${field}.memory`, description });
    }
  }
  const { requests, limits } = resourceRequirements ?? {};
  const more = (floor?: number, ceiling?: number): boolean => (floor ?? 0) > (ceiling ?? Infinity);
  if (more(parseCpu(requests?.cpu ?? ""), parseCpu(limits?.cpu ?? ""))) {
    const description = "must not be more than the limit";
    found.push({ field: "resource_requirements.requests.cpu", description });
  }
  if (more(quantity(requests?.memory), quantity(limits?.memory))) {
    const description = "must not be more than the limit";
    found.push({ field: "resource_requirements.requests.memory", description });
  }
  return found;
}

/** Why the containers together want more than this machine has; undefined when they do not. */
export function beyondCeiling({
  containers,
  initContainers,
}: SandboxSpec): ConnectError | undefined {
  const cores = availableParallelism();
  const memory = totalmem();
  // Init containers run one after the other, before the rest: each has to fit by itself.
  for (const group of [containers, ...initContainers.map((each) => [each])]) {
    const cpu = sum(group.map((each) => parseCpu(most(each, "cpu"))));
    if (cpu > cores * 1000) return tooMuch("cpu", `${cpu}m`, `${cores} cores`);
    const bytes = sum(group.map((each) => quantity(most(each, "memory"))));
    if (bytes > memory) return tooMuch("memory", `${bytes} bytes`, `${memory} bytes`);
  }
  return undefined;
}

/** The totals in a sandbox's status; those of a single container in its own words. */
export function effectiveResources({
  containers,
}: SandboxSpec): Pick<SandboxStatus, "effectiveResources" | "effectiveResourceRequirements"> {
  const stated = containers.filter((each) => each.resources ?? each.resourceRequirements);
  const [only] = stated;
  if (only === undefined) return {};
  if (stated.length === 1) {
    return {
      ...(only.resources && { effectiveResources: only.resources }),
      ...(only.resourceRequirements && {
        effectiveResourceRequirements: only.resourceRequirements,
      }),
    };
  }
  const total = (side: Side): Resources =>
    create(ResourcesSchema, {
      cpu: textOf(sum(stated.map((each) => parseCpu(sideOf(each, side)?.cpu ?? ""))), "m"),
      memory: textOf(sum(stated.map((each) => quantity(sideOf(each, side)?.memory))), ""),
    });
  const [requests, limits] = [total("requests"), total("limits")];
  return {
    effectiveResources: requests,
    effectiveResourceRequirements: create(ResourceRequirementsSchema, { requests, limits }),
  };
}

/** The older form guarantees: floor and ceiling are the same. */
function sideOf(container: Container, side: Side): Resources | undefined {
  const { resources, resourceRequirements } = container;
  const { requests, limits } = resourceRequirements ?? {};
  return resources ?? (side === "limits" ? (limits ?? requests) : requests);
}

function most(container: Container, what: "cpu" | "memory"): string {
  return sideOf(container, "limits")?.[what] || sideOf(container, "requests")?.[what] || "";
}

function quantity(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseQuantity(text);
}

function sum(numbers: readonly (number | undefined)[]): number {
  return numbers.reduce<number>((total, each) => total + (each ?? 0), 0);
}

function textOf(total: number, unit: string): string {
  return total === 0 ? "" : `${total}${unit}`;
}

function tooMuch(what: string, wanted: string, there: string): ConnectError {
  return failure(
    Code.InvalidArgument,
    ErrorReason.RESOURCE_CEILING_EXCEEDED,
    `the containers ask for ${wanted} of ${what}, more than this machine has (${there}): ask for less`,
  );
}

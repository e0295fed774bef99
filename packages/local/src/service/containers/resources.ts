import { availableParallelism, totalmem } from "node:os";
import { create } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import {
  type Container,
  ErrorReason,
  type Resources,
  ResourceRequirementsSchema,
  ResourcesSchema,
  SandboxMode,
  type SandboxSpec,
  type SandboxStatus,
} from "@tidybox/protocol";
import { failure, type Violation } from "../failures.ts";
import { parseQuantity } from "../quantity.ts";

type Quantity = "cpu" | "memory";

/** `2`, `0.5` or `500m`, in thousandths of a core; undefined when it is none of these. */
export function parseCpu(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(m?)$/.exec(text);
  if (match?.[1] === undefined) return undefined;
  return Math.round(Number(match[1]) * (match[2] === "m" ? 1 : 1000));
}

/** The bytes that a container may have in memory; undefined when nothing was said. */
export function memoryLimitBytes(container: Container, mode: SandboxMode): number | undefined {
  return parseQuantity(limitOf(container, "memory", mode));
}

/** What the containers ask for together; 0 when none says anything. */
export function memoryRequestBytes({ containers }: SandboxSpec): number {
  return sum(containers.map((each) => parseQuantity(requestOf(each, "memory"))));
}

/** The cores that a container may use; undefined when nothing was said. */
export function cpuLimitCores(container: Container, mode: SandboxMode): number | undefined {
  const thousandths = parseCpu(limitOf(container, "cpu", mode));
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
  if (more(parseQuantity(requests?.memory ?? ""), parseQuantity(limits?.memory ?? ""))) {
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
  const groups = [
    { field: "containers", group: containers },
    ...initContainers.map((each, index) => ({ field: `init_containers[${index}]`, group: [each] })),
  ];
  for (const { field, group } of groups) {
    const cpu = sum(group.map((each) => parseCpu(most(each, "cpu"))));
    if (cpu > cores * 1000) return tooMuch(field, "cpu", `${cpu}m`, `${cores} cores`);
    const bytes = sum(group.map((each) => parseQuantity(most(each, "memory"))));
    if (bytes > memory) return tooMuch(field, "memory", `${bytes} bytes`, `${memory} bytes`);
  }
  return undefined;
}

/** The totals in a sandbox's status; those of a single container in its own words. */
export function effectiveResources({
  containers,
  mode,
}: SandboxSpec): Pick<SandboxStatus, "effectiveResources" | "effectiveResourceRequirements"> {
  const stated = containers.filter((each) => each.resources ?? each.resourceRequirements);
  if (stated.length === 0) return {};
  const requests = totalOf(stated, requestOf);
  const limits = totalOf(stated, (each, what) => limitOf(each, what, mode));
  return {
    effectiveResources: requests,
    effectiveResourceRequirements: create(ResourceRequirementsSchema, { requests, limits }),
  };
}

function totalOf(
  containers: readonly Container[],
  of: (container: Container, what: Quantity) => string,
): Resources {
  const [only] = containers;
  if (only !== undefined && containers.length === 1)
    return create(ResourcesSchema, { cpu: of(only, "cpu"), memory: of(only, "memory") });
  return create(ResourcesSchema, {
    cpu: textOf(sum(containers.map((each) => parseCpu(of(each, "cpu")))), "m"),
    memory: textOf(sum(containers.map((each) => parseQuantity(of(each, "memory")))), ""),
  });
}

/** What it is guaranteed. A limit without a request asks for all of it. */
function requestOf({ resources, resourceRequirements }: Container, what: Quantity): string {
  const { requests, limits } = resourceRequirements ?? {};
  return resources?.[what] || requests?.[what] || limits?.[what] || "";
}

/** What it may use. Serverless sandboxes get what they request, and no more (reference 3.13). */
function limitOf(container: Container, what: Quantity, mode: SandboxMode): string {
  return mode === SandboxMode.CKS ? most(container, what) : requestOf(container, what);
}

/** The highest that was written. */
function most({ resources, resourceRequirements }: Container, what: Quantity): string {
  const { requests, limits } = resourceRequirements ?? {};
  return resources?.[what] || limits?.[what] || requests?.[what] || "";
}

function sum(numbers: readonly (number | undefined)[]): number {
  return numbers.reduce<number>((total, each) => total + (each ?? 0), 0);
}

function textOf(total: number, unit: string): string {
  return total === 0 ? "" : `${total}${unit}`;
}

function tooMuch(field: string, what: Quantity, wanted: string, there: string): ConnectError {
  const description = `ask for ${wanted} of ${what}, more than this machine has (${there}): ask for less`;
  const violations = [{ field: `sandbox.spec.${field}`, description }];
  return failure(
    Code.InvalidArgument,
    ErrorReason.RESOURCE_CEILING_EXCEEDED,
    `${violations[0]?.field}: ${description}`,
    { violations },
  );
}

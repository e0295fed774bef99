import { Code, type ConnectError } from "@connectrpc/connect";
import { type Container, ErrorReason, SandboxMode, type SandboxSpec } from "@tidybox/protocol";
import { failure, noSuitableRunner, type Violation } from "./failures.ts";

const RETRY_SECONDS = 1;

/**
 * Why a spec cannot be placed on the one runner that there is, this machine; undefined when it can.
 * The reasons are those by which clients look for another place.
 */
export function refusalOfPlacement(spec: SandboxSpec, runnerId: string): ConnectError | undefined {
  const { mode, runnerIds, instanceType } = spec;
  const isNamed = runnerIds.includes(runnerId);
  const found: Violation[] = [];
  if (instanceType !== "")
    found.push({
      field: "sandbox.spec.instance_type",
      description: "this machine is of no instance type",
    });
  if (mode === SandboxMode.CKS && runnerIds.length === 0)
    found.push({
      field: "sandbox.spec.mode",
      description: `there is no cluster for mode CKS; leave it out, or name this machine's runner in runner_ids: ${runnerId}`,
    });
  const lists = { containers: spec.containers, init_containers: spec.initContainers };
  for (const [name, containers] of Object.entries(lists)) {
    for (const [index, container] of containers.entries()) {
      const field = gpuField(container);
      if (field === undefined) continue;
      const description = "GPUs of this machine are not for sandboxes: leave it out";
      found.push({ field: `sandbox.spec.${name}[${index}].${field}`, description });
    }
  }
  if (found.length > 0) {
    const wishes = found.map(({ field, description }) => `${field}: ${description}`).join("; ");
    return noSuitableRunner(
      `no runner of the local service can have this sandbox: ${wishes}. The real service may have one.`,
      found,
    );
  }
  if (runnerIds.length === 0 || isNamed) return undefined;
  const description = `none of these runners is there; the one of this machine is ${runnerId}`;
  return failure(
    Code.Unavailable,
    ErrorReason.RUNNER_UNAVAILABLE,
    `sandbox.spec.runner_ids: ${description}`,
    {
      violations: [{ field: "sandbox.spec.runner_ids", description }],
      retryAfterSeconds: RETRY_SECONDS,
    },
  );
}

function gpuField({ resources, resourceRequirements }: Container): string | undefined {
  const { requests, limits } = resourceRequirements ?? {};
  if (resources?.gpu !== undefined) return "resources.gpu";
  if (requests?.gpu !== undefined) return "resource_requirements.requests.gpu";
  return limits?.gpu === undefined ? undefined : "resource_requirements.limits.gpu";
}

import { create } from "@bufbuild/protobuf";
import {
  type ResourceRequirements,
  ResourceRequirementsSchema,
  type Resources,
  ResourcesSchema,
} from "@tidybox/protocol";
import { checkInteger, checkText } from "./checks.ts";
import { invalidOption } from "./invalid-option.ts";
import type { ResourceAmounts, ResourceOptions } from "./resource-options.ts";

const MOST_GPUS = 1024;
const MOST_GPU_MEMORY_GB = 65_536;

/** Amounts without sides are both floor and ceiling, as in both official SDKs (reference 3.13). */
export function toResourceRequirements(
  options: ResourceOptions,
  option: string,
): ResourceRequirements {
  const unknown = Object.keys(options).find(
    (key) => !["cpu", "memory", "gpu", "requests", "limits"].includes(key),
  );
  if (unknown !== undefined) throw invalidOption(`${option}.${unknown}`, "is not known");
  if (!("requests" in options) && !("limits" in options)) {
    const both = toResources(options, option);
    return create(ResourceRequirementsSchema, { requests: both, limits: both });
  }
  if (!("requests" in options) || !("limits" in options)) {
    throw invalidOption(option, "must give requests and limits together");
  }
  if ("cpu" in options || "memory" in options || "gpu" in options) {
    throw invalidOption(option, "must not mix requests and limits with plain amounts");
  }
  return create(ResourceRequirementsSchema, {
    requests: toResources(options.requests, `${option}.requests`),
    limits: toResources(options.limits, `${option}.limits`),
  });
}

function toResources({ cpu, memory, gpu }: ResourceAmounts, option: string): Resources {
  if (cpu === undefined && memory === undefined && gpu === undefined) {
    throw invalidOption(option, "must name at least one of cpu, memory and gpu");
  }
  if (cpu !== undefined) checkText(cpu, `${option}.cpu`);
  if (memory !== undefined) checkText(memory, `${option}.memory`);
  const resources = create(ResourcesSchema, { cpu: cpu ?? "", memory: memory ?? "" });
  if (gpu !== undefined) {
    checkInteger(gpu.count, `${option}.gpu.count`, 1, MOST_GPUS);
    if (gpu.memoryGb !== undefined)
      checkInteger(gpu.memoryGb, `${option}.gpu.memoryGb`, 1, MOST_GPU_MEMORY_GB);
    else checkText(gpu.type, `${option}.gpu.type`);
    resources.gpu = create(ResourcesSchema, {
      gpu: {
        count: BigInt(gpu.count),
        selector:
          gpu.memoryGb !== undefined
            ? { case: "memoryGb", value: BigInt(gpu.memoryGb) }
            : { case: "type", value: gpu.type },
      },
    }).gpu;
  }
  return resources;
}

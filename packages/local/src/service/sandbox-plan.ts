import { type SandboxSpec, StorageMedium } from "@tidybox/protocol";
import type { PlannedMount, SandboxPlan } from "../engines/engine.ts";
import { planNetwork } from "./network/planned-network.ts";
import { parseQuantity } from "./quantity.ts";

/** Where a sandbox works unless its container names another folder. */
export const DEFAULT_WORKING_DIRECTORY = "/workspace";

/** What an engine does for a spec that was found valid and supported. */
export function planSandbox(
  id: string,
  spec: SandboxSpec,
  restores: SandboxPlan["restores"] = [],
): SandboxPlan {
  const container = spec.containers[0];
  if (container === undefined) throw new Error("a valid spec has a container");
  return {
    id,
    image: container.image,
    workingDirectory: container.workingDir.replace(/(?<=.)\/+$/, "") || DEFAULT_WORKING_DIRECTORY,
    environment: container.environmentVariables,
    ...planNetwork(spec),
    mounts: container.volumeMounts.map(
      ({ volume, mountPath, readOnly, subPath }): PlannedMount => ({
        volume,
        path: mountPath,
        readOnly,
        subPath,
        memorySizeBytes: memorySizeBytes(spec, volume),
      }),
    ),
    restores,
    files: container.files.map(({ path, content }) => ({ path, content })),
  };
}

function memorySizeBytes(spec: SandboxSpec, name: string): number | undefined {
  const source = spec.volumes.find((volume) => volume.name === name)?.source;
  if (source?.case !== "scratch" || source.value.medium !== StorageMedium.MEMORY) return undefined;
  return parseQuantity(source.value.size);
}

import { type Container, type SandboxSpec, StorageMedium } from "@tidybox/protocol";
import type { PlannedMount, SandboxPlan } from "../engines/engine.ts";
import { cpuLimitCores, memoryLimitBytes, memoryRequestBytes } from "./containers/resources.ts";
import { otherContainers, primaryContainer } from "./containers/primary-container.ts";
import { planNetwork } from "./network/planned-network.ts";
import { parseMemoryShare, parseQuantity } from "./quantity.ts";

/** Where a sandbox works unless its container names another folder. */
export const DEFAULT_WORKING_DIRECTORY = "/workspace";

/**
 * What an engine does for a spec that was found valid and supported: for its primary container, to
 * which the published ports belong, and all volumes that no other container has in memory.
 */
export function planSandbox(
  id: string,
  spec: SandboxSpec,
  restores: SandboxPlan["restores"] = [],
  servicesHaveEgress = false,
): SandboxPlan {
  const others = [...otherContainers(spec), ...spec.initContainers];
  const elsewhere = others.flatMap((container) =>
    planContainer(id, spec, container, restores).restores.map(({ volume }) => volume),
  );
  return {
    ...planContainer(id, spec, primaryContainer(spec), []),
    ...planNetwork(spec, servicesHaveEgress),
    restores: restores.filter(({ volume }) => !elsewhere.includes(volume)),
    sharesVolumes: others.length > 0,
  };
}

/** The same for one of its containers, in the network of the primary one. */
export function planContainer(
  id: string,
  spec: SandboxSpec,
  container: Container,
  restores: SandboxPlan["restores"] = [],
  servicesHaveEgress = false,
): SandboxPlan {
  const inMemory = ({ volume }: { readonly volume: string }): boolean =>
    volumeSizeBytes(spec, volume) !== undefined &&
    container.volumeMounts.some((mount) => mount.volume === volume);
  return {
    id,
    image: container.image,
    workingDirectory: container.workingDir.replace(/(?<=.)\/+$/, "") || DEFAULT_WORKING_DIRECTORY,
    environment: container.environmentVariables,
    denyEgress: planNetwork(spec, servicesHaveEgress).denyEgress,
    mounts: container.volumeMounts.map(
      ({ volume, mountPath, readOnly, subPath }): PlannedMount => ({
        volume,
        path: mountPath,
        readOnly,
        subPath,
        memorySizeBytes: volumeSizeBytes(spec, volume),
      }),
    ),
    restores: restores.filter(inMemory),
    files: container.files.map(({ path, content }) => ({ path, content })),
    memoryLimitBytes: memoryLimitBytes(container, spec.mode),
    cpuLimitCores: cpuLimitCores(container, spec.mode),
    runsAsRoot: container.securityContext?.runAsUser === 0,
    dropsCapabilities: container.securityContext?.capabilitiesDrop ?? [],
    readOnlyRoot: container.securityContext?.readOnlyRootFilesystem === true,
  };
}

function volumeSizeBytes(spec: SandboxSpec, name: string): number | undefined {
  const source = spec.volumes.find((volume) => volume.name === name)?.source;
  if (source?.case !== "scratch" || source.value.medium !== StorageMedium.MEMORY) return undefined;
  const { size } = source.value;
  const share = parseMemoryShare(size);
  return share === undefined ? parseQuantity(size) : Math.floor(share * memoryRequestBytes(spec));
}

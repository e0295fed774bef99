import { type Container, SandboxMode, type SandboxSpec, StorageMedium } from "@tidybox/protocol";
import { unsupportedNetwork } from "./network/unsupported-network.ts";

/**
 * What a spec asks for that one machine cannot give, in words; undefined when it can give all of
 * it. A test must not pass here because something was quietly left out.
 */
export function unsupported(spec: SandboxSpec, servicesHaveEgress: boolean): string | undefined {
  const containers = [...spec.containers, ...spec.initContainers];
  const found: readonly (string | false | undefined)[] = [
    spec.initContainers.some(({ command }) => command === "") &&
      "init containers without a command (nothing is known of an image's entrypoint)",
    spec.mode === SandboxMode.CKS && "mode CKS and runner pins",
    spec.networkIds.length > 0 && "sandbox networks (network_ids)",
    spec.objectStorageAccess !== undefined && "object storage access",
    spec.instanceType !== "" && "instance types",
    spec.runtimeClass !== "" && "runtime classes",
    ...unsupportedNetwork(spec, servicesHaveEgress),
    ...spec.volumes.map(({ name, source }) => {
      if (source.case !== "scratch") return undefined;
      const share = source.value.medium === StorageMedium.MEMORY && source.value.size.endsWith("%");
      return share && `volumes sized by a share of the memory (${name}); give a size such as 64Mi`;
    }),
    ...spec.volumes.map(
      ({ name }) =>
        isInMemory(spec, name) &&
        containers.filter(({ volumeMounts }) => volumeMounts.some(({ volume }) => volume === name))
          .length > 1 &&
        `volumes in memory that several containers mount (${name}); leave the medium out`,
    ),
    ...containers.flatMap((container) => unsupportedInContainer(container, spec)),
  ];
  const missing = [...new Set(found.filter((what) => typeof what === "string"))];
  if (missing.length === 0) return undefined;
  return `the local service does not have: ${missing.join("; ")}. Leave it out, or run this against the real service.`;
}

function unsupportedInContainer(
  container: Container,
  spec: SandboxSpec,
): readonly (string | false | undefined)[] {
  const security = container.securityContext;
  const memoryMounts = container.volumeMounts.filter(({ volume }) => isInMemory(spec, volume));
  return [
    (container.resources?.gpu ??
      container.resourceRequirements?.requests?.gpu ??
      container.resourceRequirements?.limits?.gpu) !== undefined && "GPUs",
    container.imagePullCredentials !== undefined &&
      "private images (nothing is pulled; map the image to a directory)",
    (security?.runAsUser ?? 0) !== 0 && "users other than root (run_as_user)",
    (security?.runAsGroup ?? 0) !== 0 && "groups other than root (run_as_group)",
    security?.privileged === true && "privileged containers",
    security?.allowPrivilegeEscalation === true && "privilege escalation",
    security?.readOnlyRootFilesystem === true &&
      container.files.length > 0 &&
      "files in a read-only root file system",
    (security?.capabilitiesAdd.length ?? 0) > 0 && "added capabilities",
    !["", "Unconfined"].includes(security?.seccompProfile ?? "") && "seccomp profiles",
    memoryMounts.some(({ subPath }) => subPath !== "") && "sub paths of volumes in memory",
    memoryMounts.some(({ readOnly }) => readOnly) && "read-only mounts of volumes in memory",
    new Set(memoryMounts.map(({ volume }) => volume)).size !== memoryMounts.length &&
      "mounting one volume in memory twice",
  ];
}

function isInMemory({ volumes }: SandboxSpec, name: string): boolean {
  return volumes.some(
    (volume) =>
      volume.name === name &&
      volume.source.case === "scratch" &&
      volume.source.value.medium === StorageMedium.MEMORY,
  );
}

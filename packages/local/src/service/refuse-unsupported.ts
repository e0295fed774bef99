import type { ConnectError } from "@connectrpc/connect";
import { type Container, type SandboxSpec, StorageMedium } from "@tidybox/protocol";
import type { Engine } from "../engines/engine.ts";
import { notImplemented } from "./failures.ts";
import { unsupportedNetwork } from "./network/unsupported-network.ts";
import { holding, type Unsupported } from "./unsupported.ts";

/**
 * The refusal of what a spec asks for and this machine cannot give; undefined when it can give all
 * of it. A test must not pass here because something was quietly left out.
 */
export function refusalOfUnsupported(
  spec: SandboxSpec,
  engine: Pick<Engine, "name" | "privileges" | "servicesHaveEgress">,
): ConnectError | undefined {
  const found = [
    ...unsupportedInSpec(spec),
    ...unsupportedNetwork(spec, engine.servicesHaveEgress === true),
    ...unsupportedVolumes(spec),
    ...containersOf(spec).flatMap(({ container, field }) => [
      ...unsupportedInContainer(container, field),
      ...unsupportedMounts(container, field, spec),
      ...unsupportedPrivileges(container, field, engine),
    ]),
  ];
  if (found.length === 0) return undefined;
  const whole = found.map(({ field, what }) => ({ field: `sandbox.spec.${field}`, what }));
  const kinds = [...new Set(whole.map(({ what }) => what))].map((what) => {
    const fields = whole.filter((each) => each.what === what).map(({ field }) => field);
    return `${what} (${fields.join(", ")})`;
  });
  return notImplemented(
    `the local service does not have: ${kinds.join("; ")}. Leave it out, or run this against the real service.`,
    whole.map(({ field, what }) => ({ field, description: `the local service has no ${what}` })),
  );
}

function unsupportedInSpec(spec: SandboxSpec): readonly Unsupported[] {
  return holding(
    [spec.networkIds.length > 0, "network_ids", "sandbox networks"],
    [spec.objectStorageAccess !== undefined, "object_storage_access", "object storage access"],
    [spec.runtimeClass !== "", "runtime_class", "runtime classes"],
  ).concat(
    spec.initContainers.flatMap(({ command }, index) =>
      holding([
        command === "",
        `init_containers[${index}].command`,
        "init containers without a command (nothing is known of an image's entrypoint)",
      ]),
    ),
  );
}

function unsupportedVolumes(spec: SandboxSpec): readonly Unsupported[] {
  return spec.volumes.flatMap(({ name }, index) => {
    const mounting = containersOf(spec).filter(({ container }) =>
      container.volumeMounts.some(({ volume }) => volume === name),
    );
    return holding([
      isInMemory(spec, name) && mounting.length > 1,
      `volumes[${index}].scratch.medium`,
      "volumes in memory that several containers mount",
    ]);
  });
}

function unsupportedInContainer(container: Container, at: string): readonly Unsupported[] {
  const { securityContext: security, imagePullCredentials } = container;
  const context = `${at}.security_context`;
  return holding(
    [
      imagePullCredentials !== undefined,
      `${at}.image_pull_credentials`,
      "private images: nothing is pulled, map the image to what is there",
    ],
    [
      (security?.runAsUser ?? 0) !== 0,
      `${context}.run_as_user`,
      "users other than root in a container",
    ],
    [
      (security?.runAsGroup ?? 0) !== 0,
      `${context}.run_as_group`,
      "groups other than root in a container",
    ],
    [security?.privileged === true, `${context}.privileged`, "privileged containers"],
    [
      security?.allowPrivilegeEscalation === true,
      `${context}.allow_privilege_escalation`,
      "privilege escalation",
    ],
    [
      security?.readOnlyRootFilesystem === true && container.files.length > 0,
      `${at}.files`,
      "files in a read-only root file system",
    ],
    [
      (security?.capabilitiesAdd.length ?? 0) > 0,
      `${context}.capabilities_add`,
      "added capabilities",
    ],
  );
}

/** What depends on what commands may do with this engine. */
function unsupportedPrivileges(
  { securityContext: security }: Container,
  at: string,
  { name, privileges = "none" }: Pick<Engine, "name" | "privileges">,
): readonly Unsupported[] {
  const context = `${at}.security_context`;
  const profile = security?.seccompProfile ?? "";
  const ofAccount = privileges === "account";
  const what = `users and privileges of a container's own with the engine "${name}"`;
  return holding(
    [
      profile !== "" && profile !== (privileges === "container" ? "RuntimeDefault" : "Unconfined"),
      `${context}.seccomp_profile`,
      `the seccomp profile ${profile} with the engine "${name}"`,
    ],
    [ofAccount && security?.runAsUser === 0, `${context}.run_as_user`, what],
    [
      security?.runAsGroup === 0 &&
        (ofAccount || (privileges === "container" && security.runAsUser !== 0)),
      `${context}.run_as_group`,
      ofAccount ? what : "a group of root without its user",
    ],
    [
      ofAccount && security?.allowPrivilegeEscalation === false,
      `${context}.allow_privilege_escalation`,
      what,
    ],
    [
      ofAccount && (security?.capabilitiesDrop.length ?? 0) > 0,
      `${context}.capabilities_drop`,
      what,
    ],
  );
}

function unsupportedMounts(
  { volumeMounts }: Container,
  at: string,
  spec: SandboxSpec,
): readonly Unsupported[] {
  const seen = new Set<string>();
  return volumeMounts.flatMap(({ volume, subPath, readOnly }, index) => {
    if (!isInMemory(spec, volume)) return [];
    const twice = seen.has(volume);
    seen.add(volume);
    const mount = `${at}.volume_mounts[${index}]`;
    return holding(
      [subPath !== "", `${mount}.sub_path`, "sub paths of volumes in memory"],
      [readOnly, `${mount}.read_only`, "read-only mounts of volumes in memory"],
      [twice, `${mount}.volume`, "volumes in memory that are mounted twice"],
    );
  });
}

function containersOf(
  spec: SandboxSpec,
): readonly { readonly container: Container; readonly field: string }[] {
  const lists = { containers: spec.containers, init_containers: spec.initContainers };
  return Object.entries(lists).flatMap(([name, containers]) =>
    containers.map((container, index) => ({ container, field: `${name}[${index}]` })),
  );
}

function isInMemory({ volumes }: SandboxSpec, name: string): boolean {
  return volumes.some(
    (volume) =>
      volume.name === name &&
      volume.source.case === "scratch" &&
      volume.source.value.medium === StorageMedium.MEMORY,
  );
}

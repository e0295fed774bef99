import type { Container, SandboxSpec } from "@tidybox/protocol";

/** By which a sandbox ends, and where commands go that name no other. The spec is a valid one. */
export function primaryContainer({ containers, primaryContainer: name }: SandboxSpec): Container {
  const container = containers.find((each) => each.name === name) ?? containers[0];
  if (container === undefined) throw new Error("a valid spec has a container");
  return container;
}

/** All others that run for as long as the sandbox does. */
export function otherContainers(spec: SandboxSpec): readonly Container[] {
  const primary = primaryContainer(spec);
  return spec.containers.filter((each) => each !== primary);
}

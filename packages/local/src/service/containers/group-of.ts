import type { Container, SandboxSpec } from "@tidybox/protocol";
import type { Engine, SandboxPlan } from "../../engines/engine.ts";
import { KeepAlive } from "../keep-alive.ts";
import type { LogMemory } from "../logs/line-log.ts";
import { planContainer } from "../sandbox-plan.ts";
import { ContainerGroup } from "./container-group.ts";
import { SideContainer, type StartMain } from "./container.ts";
import { otherContainers, primaryContainer } from "./primary-container.ts";

export interface GroupSource {
  readonly spec: SandboxSpec;
  readonly id: string;
  readonly restores: SandboxPlan["restores"];
  readonly volumeFolders: NonNullable<SandboxPlan["volumeFolders"]>;
  readonly engine: Engine;
  readonly logMemory: LogMemory;
  readonly starterOf: (container: Container, plan: SandboxPlan) => StartMain;
  readonly isWanted: () => boolean;
}

/** All containers but the primary one. */
export function sideContainers(spec: SandboxSpec): readonly Container[] {
  return [...otherContainers(spec), ...spec.initContainers];
}

/** The containers of a spec, as they will be started. */
export function groupOf(source: GroupSource): ContainerGroup {
  const { spec, id, restores, volumeFolders, engine, logMemory, starterOf, isWanted } = source;
  const side = (container: Container): SideContainer => {
    const plan = {
      ...planContainer(id, spec, container, restores, engine.servicesHaveEgress),
      volumeFolders,
    };
    return new SideContainer({
      spec: container,
      plan,
      startMain: starterOf(container, plan),
      logMemory,
    });
  };
  const primary = primaryContainer(spec);
  return new ContainerGroup({
    engine,
    initContainers: spec.initContainers.map(side),
    others: otherContainers(spec).map(side),
    // Without a command it lives until it is stopped.
    startPrimary:
      starterOf(primary, planContainer(id, spec, primary)) ??
      (() => Promise.resolve(new KeepAlive())),
    isWanted,
  });
}

import type { ConnectError } from "@connectrpc/connect";
import type { SandboxSpec } from "@tidybox/protocol";
import type { Engine, SandboxPlan } from "../engines/engine.ts";
import { sideContainers } from "./containers/group-of.ts";
import { noSuitableRunner, notImplemented } from "./failures.ts";
import { planContainer, planSandbox } from "./sandbox-plan.ts";

/**
 * The refusal of what this machine could do, but not with this engine; undefined when the engine can
 * do all of it.
 *
 * @param id that the sandbox would have
 */
export function refusalOfEngine(
  id: string,
  spec: SandboxSpec,
  engine: Engine,
): ConnectError | undefined {
  const sides = sideContainers(spec).map((each) => planContainer(id, spec, each));
  const whole = planSandbox(id, spec, [], engine.servicesHaveEgress ?? false);
  return (
    refusalOfServices(spec, engine) ??
    firstOf([whole, ...sides], (plan) => refusalOfPlan(plan, engine)) ??
    refusalOfSides(spec, engine, sides.length) ??
    refusalOfVolumeFolders(spec, engine)
  );
}

function firstOf<T, R>(all: readonly T[], of: (each: T) => R | undefined): R | undefined {
  for (const each of all) {
    const found = of(each);
    if (found !== undefined) return found;
  }
  return undefined;
}

function refusalOfServices({ services }: SandboxSpec, engine: Engine): ConnectError | undefined {
  if (services.length === 0 || engine.publishesPorts === true) return undefined;
  const message =
    `the engine "${engine.name}" cannot give a sandbox a network of its own with services. ` +
    'Use the engine "bubblewrap" (Linux: `apt-get install bubblewrap`), or leave services out (sandbox.spec.services).';
  return noSuitableRunner(message, [{ field: "sandbox.spec.services", description: message }]);
}

function refusalOfPlan(plan: SandboxPlan, engine: Engine): ConnectError | undefined {
  if (plan.readOnlyRoot === true && engine.enforces?.includes("read_only_root") !== true) {
    const field = "sandbox.spec.containers[0].security_context.read_only_root_filesystem";
    const message = `the engine "${engine.name}" has no read-only root file systems (${field})`;
    return notImplemented(message, [{ field, description: message }]);
  }
  const refusal = engine.refusal(plan);
  if (refusal === undefined) return undefined;
  const message = `${refusal.message} (${refusal.field})`;
  const violations = [{ field: refusal.field, description: refusal.message }];
  return refusal.kind === "not_implemented"
    ? notImplemented(message, violations)
    : noSuitableRunner(message, violations);
}

function refusalOfSides(
  spec: SandboxSpec,
  engine: Engine,
  sides: number,
): ConnectError | undefined {
  if (sides === 0 || engine.startBeside !== undefined) return undefined;
  const field = `sandbox.spec.${spec.initContainers.length > 0 ? "init_containers" : "containers"}`;
  const message = `the engine "${engine.name}" cannot have several or init containers: use the engine "bubblewrap" (${field})`;
  return noSuitableRunner(message, [{ field, description: message }]);
}

function refusalOfVolumeFolders(spec: SandboxSpec, engine: Engine): ConnectError | undefined {
  const hasRegistered = spec.volumes.some(({ source }) => source.case === "volumeId");
  if (!hasRegistered || engine.mountsVolumeFolders === true) return undefined;
  const message = `the engine "${engine.name}" cannot mount registered volumes (sandbox.spec.volumes)`;
  return notImplemented(message, [{ field: "sandbox.spec.volumes", description: message }]);
}

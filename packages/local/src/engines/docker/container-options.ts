import type { ContainerCreateOptions } from "dockerode";
import type { SandboxPlan } from "../engine.ts";
import { mountsOf } from "./container-volumes.ts";
import { shell, WAIT } from "./shell-scripts.ts";

/** Enough for any test; a fork bomb stops here, and not at the machine's own limit. */
export const MAX_PROCESSES = 4096;

const NANOS = 1e9;

export interface ContainerSurroundings {
  /** As Docker knows it. */
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Of the machine that the containers run on. */
  readonly cpus: number;
  /** Id of the container whose network it joins; undefined: it has one of its own. */
  readonly networkOf: string | undefined;
}

/** A container that does nothing but wait until the service is gone. */
export function containerOptions(
  plan: SandboxPlan,
  { image, labels, cpus, networkOf }: ContainerSurroundings,
): ContainerCreateOptions {
  const { memoryLimitBytes: memoryBytes, cpuLimitCores: cpuCores, publish = [] } = plan;
  const ports = publish.map((port) => `${port}/tcp`);
  return {
    Image: image,
    Entrypoint: [...shell(WAIT)],
    Cmd: [],
    ...(plan.runsAsRoot === true && { User: "0:0" }),
    Env: Object.entries(plan.environment).map(([key, value]) => `${key}=${value}`),
    WorkingDir: plan.workingDirectory,
    OpenStdin: true,
    // Its input ends with the first one who holds it, and that is this service.
    StdinOnce: true,
    AttachStdin: true,
    NetworkDisabled: false,
    ExposedPorts: Object.fromEntries(ports.map((port) => [port, {}])),
    Labels: { ...labels },
    HostConfig: {
      Init: true,
      Mounts: mountsOf(plan),
      PidsLimit: MAX_PROCESSES,
      SecurityOpt: ["no-new-privileges"],
      CapDrop: [...(plan.dropsCapabilities ?? [])],
      LogConfig: { Type: "none", Config: {} },
      // Loopback only, and a port that is free: two sandboxes can have the same one inside.
      PortBindings: Object.fromEntries(
        ports.map((port) => [port, [{ HostIp: "127.0.0.1", HostPort: "" }]]),
      ),
      ...(plan.readOnlyRoot === true && { ReadonlyRootfs: true }),
      ...(networkOf !== undefined && { NetworkMode: `container:${networkOf}` }),
      ...(networkOf === undefined && plan.denyEgress && { NetworkMode: "none" }),
      ...(memoryBytes !== undefined && { Memory: memoryBytes, MemorySwap: memoryBytes }),
      ...(cpuCores !== undefined && {
        // Docker refuses more than there are, which is no limit.
        NanoCpus: Math.round(Math.min(cpuCores, cpus) * NANOS),
      }),
    },
  };
}

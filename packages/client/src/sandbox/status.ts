import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { type Sandbox as SandboxRecord, State } from "@tidybox/protocol";
import { type SandboxState, toSandboxState } from "./state.ts";

/** A sandbox as the service saw it at one moment. */
export interface SandboxStatus {
  readonly id: string;
  readonly state: SandboxState;
  /** The service's text; empty where it says nothing. */
  readonly stateReason: string;
  readonly createdAt: Date | undefined;
  readonly startedAt: Date | undefined;
  readonly endedAt: Date | undefined;
  /** Of the main process, once it has ended by itself. */
  readonly exitCode: number | undefined;
  /** Seconds that the service allows in all; 0 where it does not say. */
  readonly maxLifetimeSeconds: number;
  readonly runnerId: string;
  readonly services: readonly ServiceStatus[];
  /** One for each container, init containers too, as far as the service tells of them. */
  readonly containerStatuses: readonly ContainerStatus[];
}

export interface ContainerStatus {
  readonly name: string;
  readonly state: SandboxState;
  /** Undefined until it has ended by itself. */
  readonly exitCode: number | undefined;
  readonly restartCount: number;
}

export interface ServiceStatus {
  readonly port: number;
  readonly name: string;
  /** Empty until the service has assigned one. */
  readonly url: string;
}

export function toSandboxStatus({ sandboxId, status }: SandboxRecord): SandboxStatus {
  return {
    id: sandboxId,
    state: toSandboxState(status?.state),
    stateReason: status?.stateReason ?? "",
    createdAt: toDate(status?.createTime),
    startedAt: toDate(status?.startTime),
    endedAt: toDate(status?.endTime),
    exitCode: status?.exitCode,
    maxLifetimeSeconds: status?.effectiveMaxLifetimeSeconds ?? 0,
    runnerId: status?.runnerId ?? "",
    services: (status?.services ?? []).map(({ port, name, url, endpoint }) => ({
      port,
      name,
      url: url === "" ? (endpoint?.url ?? "") : url,
    })),
    containerStatuses: (status?.containerStatuses ?? []).map(
      ({ name, state, exitCode, restartCount }) => ({
        name,
        state: toSandboxState(state),
        // The wire has no presence here (reference 3.1): a number means something in the end only.
        exitCode: state === State.COMPLETED || state === State.FAILED ? exitCode : undefined,
        restartCount,
      }),
    ),
  };
}

export function toDate(time: Timestamp | undefined): Date | undefined {
  return time === undefined ? undefined : timestampDate(time);
}

export { Connection } from "./connection/connection.ts";
export type { ConnectionOptions } from "./connection/connection.ts";

export { Sandbox } from "./sandbox/sandbox.ts";
export type { CallTarget } from "./sandbox/sandbox.ts";
export type { DeleteOptions } from "./sandbox/sandbox.ts";
export type { RunOptions } from "./sandbox/sandbox.ts";
export type { SandboxList } from "./sandbox/sandbox.ts";
export type { ListOptions } from "./sandbox/listing.ts";
export type { SandboxState } from "./sandbox/state.ts";
export type { SandboxStatus } from "./sandbox/status.ts";
export type { ServiceStatus } from "./sandbox/status.ts";
export type { StopOptions } from "./sandbox/stop.ts";
export type { StopResult } from "./sandbox/stop.ts";
export type { WaitOptions } from "./sandbox/wait.ts";
export type { WaitResult } from "./sandbox/wait.ts";

export type { SandboxLogs } from "./logs/sandbox-logs.ts";
export type { LogOptions } from "./logs/options.ts";

export { Snapshot } from "./snapshots/snapshot.ts";
export type { SnapshotDeleteOptions } from "./snapshots/snapshot.ts";
export type { SnapshotListOptions } from "./snapshots/snapshot.ts";
export type { SnapshotList } from "./snapshots/snapshot-list.ts";
export type { SnapshotState } from "./snapshots/snapshot-state.ts";
export type { SnapshotOptions } from "./snapshots/take-snapshot.ts";
export type { SnapshotWaitOptions } from "./snapshots/wait-for-snapshot.ts";

export type { ExecOptions } from "./exec/options.ts";
export type { ExecResult } from "./exec/result.ts";
export type { PartialExecResult } from "./exec/result.ts";

export { Session } from "./session/session.ts";
export type { CloseOptions } from "./session/session.ts";
export type { SessionListOptions } from "./session/session.ts";
export type { SessionOptions } from "./session/session.ts";
export { stopAll } from "./session/stop-all.ts";

export { mergeSandboxOptions } from "./options/merge.ts";
export type { SandboxOptions } from "./options/sandbox-options.ts";
export type { ContainerOptions } from "./options/container-options.ts";
export type { SecurityOptions } from "./options/container-options.ts";
export type { VolumeMountOptions } from "./options/container-options.ts";
export type { EgressOptions } from "./options/network-options.ts";
export type { IngressOptions } from "./options/network-options.ts";
export type { NetworkOptions } from "./options/network-options.ts";
export type { PortRangeOptions } from "./options/network-options.ts";
export type { ServiceOptions } from "./options/network-options.ts";
export type { TenantScope } from "./options/network-options.ts";
export type { GpuOptions } from "./options/resource-options.ts";
export type { ResourceAmounts } from "./options/resource-options.ts";
export type { ResourceOptions } from "./options/resource-options.ts";
export type { ImagePullCredentials } from "./options/secret-options.ts";
export type { SecretOptions } from "./options/secret-options.ts";
export type { ObjectStorageOptions } from "./options/storage-options.ts";
export type { ScratchOptions } from "./options/storage-options.ts";
export type { VolumeOptions } from "./options/storage-options.ts";

export { TidyboxError } from "./errors/tidybox-error.ts";
export type { TidyboxErrorOptions } from "./errors/tidybox-error.ts";
export type { ErrorOptionsOf } from "./errors/tidybox-error.ts";
export { AuthenticationError } from "./errors/request-errors.ts";
export { ConfigurationError } from "./errors/request-errors.ts";
export { NotFoundError } from "./errors/request-errors.ts";
export { QuotaError } from "./errors/request-errors.ts";
export { TimeoutError } from "./errors/request-errors.ts";
export { UnavailableError } from "./errors/request-errors.ts";
export { FileError } from "./errors/sandbox-errors.ts";
export { SandboxClosedError } from "./errors/sandbox-errors.ts";
export { SandboxFailedError } from "./errors/sandbox-errors.ts";
export { CommandFailedError } from "./errors/command-errors.ts";
export { CommandTimeoutError } from "./errors/command-errors.ts";
export { SnapshotFailedError } from "./errors/snapshot-errors.ts";
export { LogInterruptedError } from "./errors/log-errors.ts";
export { CleanupError } from "./errors/cleanup-error.ts";
export type { CleanupFailure } from "./errors/cleanup-error.ts";

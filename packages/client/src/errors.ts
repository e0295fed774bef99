// The error classes alone: for code that recognises errors and must not pay for loading the wire.
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

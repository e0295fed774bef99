/**
 * Who must have set an ErrorInfo for its reason to be trusted. Any other domain: show the reason,
 * decide by the gRPC code (reference 5.1).
 */
export const ERROR_DOMAIN = "cwsandbox.com";

/** Every `ErrorInfo.reason` of the service (reference 5.3). A trusted one wins over the gRPC code. */
export const ErrorReason = {
  /** With NOT_FOUND. Final: never retried. */
  SANDBOX_NOT_FOUND: "CWSANDBOX_SANDBOX_NOT_FOUND",
  /** Logs or a command of a sandbox that is ending or has ended. */
  SANDBOX_NOT_RUNNING: "CWSANDBOX_SANDBOX_NOT_RUNNING",
  FILE_NOT_FOUND: "CWSANDBOX_FILE_NOT_FOUND",
  FILE_IS_DIRECTORY: "CWSANDBOX_FILE_IS_DIRECTORY",
  FILE_PERMISSION_DENIED: "CWSANDBOX_FILE_PERMISSION_DENIED",
  FILE_IO_FAILED: "CWSANDBOX_FILE_IO_FAILED",
  /** With FAILED_PRECONDITION and all of the metadata keys but `bytes_delivered`; starts the streaming fallback. */
  FILE_TOO_LARGE: "CWSANDBOX_FILE_TOO_LARGE",
  /** Made by clients, never sent: fewer bytes came than announced. */
  FILE_TRUNCATED: "CWSANDBOX_FILE_TRUNCATED",
  /** The service ended a command for its time. */
  COMMAND_TIMEOUT: "CWSANDBOX_COMMAND_TIMEOUT",
  /** Retryable. */
  RUNNER_UNAVAILABLE: "CWSANDBOX_RUNNER_UNAVAILABLE",
  /** Retryable, often with RetryInfo. */
  BACKEND_UNAVAILABLE: "CWSANDBOX_BACKEND_UNAVAILABLE",
  /** No room there now; another placement may have some. Likewise the next four. */
  RUNNER_CAPACITY_EXHAUSTED: "CWSANDBOX_RUNNER_CAPACITY_EXHAUSTED",
  RUNNER_OVERLOADED: "CWSANDBOX_RUNNER_OVERLOADED",
  PLACEMENT_REJECTED: "CWSANDBOX_PLACEMENT_REJECTED",
  PLACEMENT_CONSTRAINT_UNSATISFIED: "CWSANDBOX_PLACEMENT_CONSTRAINT_UNSATISFIED",
  NO_SUITABLE_RUNNER: "CWSANDBOX_NO_SUITABLE_RUNNER",
  /** No other placement will do better. Likewise the next two. */
  SERVERLESS_NOT_ALLOWED: "CWSANDBOX_SERVERLESS_NOT_ALLOWED",
  SERVERLESS_DISABLED: "CWSANDBOX_SERVERLESS_DISABLED",
  SERVERLESS_MISCONFIGURED: "CWSANDBOX_SERVERLESS_MISCONFIGURED",
  /** Also a stop with snapshots whose options exclude each other. */
  INVALID_REQUEST: "CWSANDBOX_INVALID_REQUEST",
  /** With BadRequest, which names the fields. */
  INVALID_ARGUMENT: "CWSANDBOX_INVALID_ARGUMENT",
  /** A combination that the service does not offer. */
  NOT_IMPLEMENTED: "CWSANDBOX_NOT_IMPLEMENTED",
  RESOURCE_CEILING_EXCEEDED: "CWSANDBOX_RESOURCE_CEILING_EXCEEDED",
  /** With FAILED_PRECONDITION. */
  SECRET_STORE_NOT_PROVISIONED: "CWSANDBOX_SECRET_STORE_NOT_PROVISIONED",
  /** A registered volume was named for a snapshot. */
  VOLUME_NOT_SNAPSHOTTABLE: "CWSANDBOX_VOLUME_NOT_SNAPSHOTTABLE",
  /** From the volume service only. */
  VOLUME_IN_USE: "CWSANDBOX_VOLUME_IN_USE",
  RUNNER_NOT_FOUND: "CWSANDBOX_RUNNER_NOT_FOUND",
  /** Left over from the older API. */
  PROFILE_NOT_FOUND: "CWSANDBOX_PROFILE_NOT_FOUND",
  AUTH_EXPIRED: "CWSANDBOX_AUTH_EXPIRED",
  FSS_NOT_FOUND: "CWSANDBOX_FSS_NOT_FOUND",
  FSS_NOT_READY: "CWSANDBOX_FSS_NOT_READY",
  /** Snapshots are enabled for each organization. */
  FSS_NOT_SUPPORTED: "CWSANDBOX_FSS_NOT_SUPPORTED",
  FSS_SIZE_EXCEEDED: "CWSANDBOX_FSS_SIZE_EXCEEDED",
  FSS_QUOTA_EXCEEDED: "CWSANDBOX_FSS_QUOTA_EXCEEDED",
  FSS_BUCKET_MISMATCH: "CWSANDBOX_FSS_BUCKET_MISMATCH",
  /** Retryable. Likewise the next two. */
  FSS_BACKEND_THROTTLED: "CWSANDBOX_FSS_BACKEND_THROTTLED",
  FSS_INFLIGHT_LIMIT: "CWSANDBOX_FSS_INFLIGHT_LIMIT",
  FSS_BUCKET_PROVISIONING: "CWSANDBOX_FSS_BUCKET_PROVISIONING",
  FSS_WAIT_TIMEOUT: "CWSANDBOX_FSS_WAIT_TIMEOUT",
  /** Final. Likewise all that follow. */
  FSS_BUCKET_UNAVAILABLE: "CWSANDBOX_FSS_BUCKET_UNAVAILABLE",
  FSS_RESTORE_FAILED: "CWSANDBOX_FSS_RESTORE_FAILED",
  FSS_CREATE_FAILED: "CWSANDBOX_FSS_CREATE_FAILED",
  FSS_CREATE_TIMED_OUT: "CWSANDBOX_FSS_CREATE_TIMED_OUT",
  FSS_AUTH_FAILED: "CWSANDBOX_FSS_AUTH_FAILED",
  FSS_TRANSPORT_FAILED: "CWSANDBOX_FSS_TRANSPORT_FAILED",
  FSS_CANCELED: "CWSANDBOX_FSS_CANCELED",
} as const;

export type ErrorReason = (typeof ErrorReason)[keyof typeof ErrorReason];

/** Keys of `ErrorInfo.metadata` with the file reasons. Values are text, sizes in decimal. */
export const FileErrorMetadata = {
  FILE_PATH: "filepath",
  OPERATION: "operation",
  SIZE_BYTES: "size_bytes",
  MAX_SIZE_BYTES: "max_size_bytes",
  BYTES_DELIVERED: "bytes_delivered",
} as const;

export type FileErrorMetadata = (typeof FileErrorMetadata)[keyof typeof FileErrorMetadata];

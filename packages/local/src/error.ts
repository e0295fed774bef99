/** Stable names of what can go wrong before or around the service itself. */
export type LocalServiceErrorCode =
  | "local_option_invalid"
  | "local_address_refused"
  | "local_engine_unavailable"
  | "local_engine_not_supported"
  | "local_root_not_given_up"
  | "local_state_folder_failed"
  | "local_helper_failed"
  /** A call of a rehearsal to a service that has none. */
  | "local_rehearsal_unknown";

/**
 * The local service could not start, or cannot go on. The message says what failed, why, and what
 * to do; what a single call answers to a client is a gRPC error instead.
 */
export class LocalServiceError extends Error {
  override readonly name = "LocalServiceError";
  readonly code: LocalServiceErrorCode;

  constructor(
    code: LocalServiceErrorCode,
    message: string,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
    this.code = code;
  }
}

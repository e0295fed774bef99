import { type ErrorOptionsOf, TidyboxError } from "./tidybox-error.ts";

/** A snapshot could not be taken. Code `"snapshot_failed"`. */
export class SnapshotFailedError extends TidyboxError {
  readonly snapshotId: string;
  /** The service's text for it; empty where it gave none. */
  readonly stateReason: string;

  constructor(
    options: ErrorOptionsOf & { readonly snapshotId: string; readonly stateReason: string },
  ) {
    super({ code: "snapshot_failed", ...options });
    this.snapshotId = options.snapshotId;
    this.stateReason = options.stateReason;
  }
}

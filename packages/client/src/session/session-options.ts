import type { Connection, ConnectionOptions } from "../connection/connection.ts";
import type { SandboxOptions } from "../options/sandbox-options.ts";
import type { ListOptions } from "../sandbox/listing.ts";
import type { RunOptions } from "../sandbox/run-options.ts";

export interface SessionOptions {
  /** Of every sandbox of the session; its tags also narrow the session's listings. */
  readonly defaults?: SandboxOptions | undefined;
  /** A connection stays open when the session closes; one made from options here does not. */
  readonly connection?: Connection | ConnectionOptions | undefined;
  /**
   * Most of its sandboxes that are starting at once, from the create until each runs; 1 to 10000,
   * default 64. Others wait for their turn, and their `startTimeoutSeconds` runs. Within it creates
   * begin with 5 a second, more with each that is accepted, and slow down when the service says so;
   * on a service of this very machine they leave at once.
   */
  readonly maxStarting?: number | undefined;
  /** Most released sandboxes that are being stopped at once; 1 to 10000, default 16. Others wait. */
  readonly maxStopping?: number | undefined;
  /**
   * Leaving the `await using` block of one of its sandboxes releases that, as {@link Session.release}
   * does, rather than waiting for its end. Default false.
   */
  readonly releaseOnDispose?: boolean | undefined;
}

/** What one sandbox of a session is asked for with: over the session's defaults. */
export type SessionSandboxOptions = Omit<RunOptions, "connection">;

export interface SessionListOptions extends ListOptions {
  /** Take over what is found, so that it is stopped with the session. Default false. */
  readonly adopt?: boolean | undefined;
}

export interface SessionFromIdOptions {
  /** Take it over, so that it is stopped with the session. Default true. */
  readonly adopt?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ReleaseOptions {
  /** For the main process, between being asked and being killed. Default 10; 0 kills at once. */
  readonly gracefulShutdownSeconds?: number | undefined;
  /**
   * For the stop, from its turn until the sandbox has ended. Default: the grace and 60 more. What has
   * not ended by then is stopped again when the session closes.
   */
  readonly timeoutSeconds?: number | undefined;
}

export interface CloseOptions {
  /** For each main process. Default 10. Released sandboxes have their own. */
  readonly gracefulShutdownSeconds?: number | undefined;
  /** For all of it. Default: the grace and 60 more. */
  readonly timeoutSeconds?: number | undefined;
  /** Gives up waiting: what has not ended by then is in the error. */
  readonly signal?: AbortSignal | undefined;
}

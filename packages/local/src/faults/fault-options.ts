/**
 * What goes wrong on purpose. Keys are RPCs: `create`, `get`, `list`, `delete`, `purge`, `exec`,
 * `logs`, `read`, `write`, `snapshot` (each with its variants, such as StreamExec), `all`, or an
 * RPC's own name such as `StreamExec`. The most exact key wins.
 */
export interface FaultOptions {
  /**
   * `"50ms"`, `"2s"`, or a range `"100ms-2s"`, before the call is looked at. `start` and `stop` are
   * how long a sandbox stays CREATING and TERMINATING.
   */
  readonly latency?: Readonly<Record<string, string>>;
  /**
   * When, and how: a probability `"0.1"` or the first calls `"3x"`, then optionally `:unavailable`
   * (default), `:resource_exhausted` or `:internal`. A code alone fails every call. Nothing is done
   * of a call that fails.
   */
  readonly fail?: Readonly<Record<string, string>>;
  /** When the connection is cut after the work was done: a probability or the first calls. */
  readonly dropAnswer?: Readonly<Record<string, string>>;
  /** Most creates: `"5/s"` or `"30/min"`. Others are refused with RESOURCE_EXHAUSTED. */
  readonly createRate?: string;
  /**
   * Most sandboxes active at once, in place of the service's `maxSandboxes`; starting and stopping
   * ones count. Below what is active it refuses creates, and ends nothing. 0 refuses every create.
   */
  readonly quota?: number;
  /** What repeats a rehearsal: the n-th call of an RPC meets the same. Default: a random one. */
  readonly seed?: number;
}

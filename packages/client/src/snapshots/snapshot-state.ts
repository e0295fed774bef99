import { SnapshotState as WireState } from "@tidybox/protocol";

/**
 * Where a snapshot is in its life. `ready` and `failed` are the ends of taking it; `unknown` is what
 * a newer service may say.
 */
export type SnapshotState = "creating" | "ready" | "failed" | "deleting" | "unknown";

const STATES: ReadonlyMap<WireState, SnapshotState> = new Map([
  [WireState.CREATING, "creating"],
  [WireState.READY, "ready"],
  [WireState.FAILED, "failed"],
  [WireState.DELETING, "deleting"],
]);

export function toSnapshotState(state: WireState): SnapshotState {
  return STATES.get(state) ?? "unknown";
}

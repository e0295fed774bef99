import { State } from "@tidybox/protocol";

/**
 * Where a sandbox is in its life. `completed`, `failed` and `terminated` are final; `unknown` is
 * what a newer service may say.
 */
export type SandboxState =
  | "pending"
  | "creating"
  | "running"
  | "paused"
  | "terminating"
  | "completed"
  | "failed"
  | "terminated"
  | "unknown";

const STATES: readonly (readonly [State, SandboxState])[] = [
  [State.PENDING, "pending"],
  [State.CREATING, "creating"],
  [State.RUNNING, "running"],
  [State.PAUSED, "paused"],
  [State.TERMINATING, "terminating"],
  [State.COMPLETED, "completed"],
  [State.FAILED, "failed"],
  [State.TERMINATED, "terminated"],
];

export function toSandboxState(state: State | undefined): SandboxState {
  return STATES.find(([wire]) => wire === state)?.[1] ?? "unknown";
}

/** `"unknown"` has no number: undefined. */
export function toWireState(state: SandboxState): State | undefined {
  return STATES.find(([, name]) => name === state)?.[0];
}

/** Whether it has ended for good. */
export function hasEnded(state: SandboxState): boolean {
  return state === "completed" || state === "failed" || state === "terminated";
}

import { State, StateSchema } from "@tidybox/protocol";

/**
 * What a sandbox is in, with what is known then. Changes only go down this list, except that a
 * sandbox that was asked to stop before it ended by itself is TERMINATING first.
 */
export type Lifecycle =
  /** It waits for its turn to start. */
  | { readonly state: typeof State.PENDING }
  | { readonly state: typeof State.CREATING }
  | { readonly state: typeof State.RUNNING }
  | { readonly state: typeof State.TERMINATING; readonly reason: string }
  /** The main process ended by itself, whatever its exit code. */
  | { readonly state: typeof State.COMPLETED; readonly reason: string; readonly exitCode: number }
  /** It could not run, or something killed it that nobody asked for. */
  | { readonly state: typeof State.FAILED; readonly reason: string; readonly exitCode?: number }
  | {
      readonly state: typeof State.TERMINATED;
      readonly reason: string;
      readonly exitCode?: number;
    };

/** States of a sandbox that has ended, by one of which every sandbox ends. */
export type Outcome = Extract<
  Lifecycle,
  { readonly state: typeof State.COMPLETED | typeof State.FAILED | typeof State.TERMINATED }
>;

const MOVES: ReadonlyMap<State, readonly State[]> = new Map([
  [State.PENDING, [State.CREATING, State.TERMINATING]],
  [State.CREATING, [State.RUNNING, State.TERMINATING, State.COMPLETED, State.FAILED]],
  [State.RUNNING, [State.TERMINATING, State.COMPLETED, State.FAILED]],
  [State.TERMINATING, [State.TERMINATED, State.FAILED]],
]);

/** `RUNNING`, for people. */
export function stateName(state: State): string {
  return StateSchema.value[state]?.localName ?? String(state);
}

export function canMove(from: State, to: State): boolean {
  return MOVES.get(from)?.includes(to) ?? false;
}

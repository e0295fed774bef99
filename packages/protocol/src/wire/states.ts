import { State } from "../gen/coreweave/sandbox/v1/sandbox_pb.ts";

/** States that never change again (reference 3.1). All others are active, TERMINATING too. */
export type TerminalState = typeof State.COMPLETED | typeof State.FAILED | typeof State.TERMINATED;

/** Whether the sandbox has ended for good. */
export function isTerminal(state: State): state is TerminalState {
  return state === State.COMPLETED || state === State.FAILED || state === State.TERMINATED;
}

import { isTerminal, type Sandbox, State } from "@tidybox/protocol";
import { pause } from "../../packages/local/src/testing/test-service.ts";
import type { CaseContext } from "./contract.ts";

const POLL_MILLISECONDS = 2;

/** Asks for a sandbox again and again until it has ended. Returns all that Get has answered. */
export async function watched(
  { bed }: CaseContext,
  sandboxId: string,
): Promise<readonly Sandbox[]> {
  const seen: Sandbox[] = [];
  for (;;) {
    const sandbox = await bed.sandboxes.getSandbox({ sandboxId });
    seen.push(sandbox);
    if (isTerminal(stateOf(sandbox))) return seen;
    await pause(POLL_MILLISECONDS);
  }
}

export function stateOf(sandbox: Sandbox | undefined): State {
  return sandbox?.status?.state ?? State.UNSPECIFIED;
}

/** The states in which it was seen, each change once. */
export function changes(seen: readonly Sandbox[]): readonly State[] {
  return seen.map(stateOf).filter((state, index, all) => state !== all[index - 1]);
}

import type { Connection } from "../connection/connection.ts";
import { Sandbox } from "../sandbox/sandbox.ts";

/** Sandboxes of a bad day, as the service's own listing has them. */
export interface Tally {
  readonly made: number;
  readonly stopped: number;
  readonly left: number;
}

const SETTLE_SECONDS = 20;

/**
 * Counts by a tag that all of them carry, over a connection that nothing is wrong with, and prints a
 * line of the table of bad days. Waits while more are left than expected: an undo goes on by itself.
 */
export async function tally(
  connection: Connection,
  {
    tag,
    day,
    expectLeft = 0,
  }: { readonly tag: string; readonly day: string; readonly expectLeft?: number },
): Promise<Tally> {
  const endsAt = performance.now() + SETTLE_SECONDS * 1000;
  const tags = [tag];
  let left: number;
  do {
    left = (await Sandbox.list({ connection, tags }).toArray()).length;
    if (left <= expectLeft) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  } while (performance.now() < endsAt);
  const made = (await Sandbox.list({ connection, tags, showTerminated: true }).toArray()).length;
  const result = { made, stopped: made - left, left };
  // oxlint-disable-next-line no-console -- the table is what somebody wants to read
  console.info(`bad day | ${day} | made ${made} | stopped ${made - left} | left ${left} |`);
  return result;
}

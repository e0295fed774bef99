import { noteStartCounts } from "../errors/start-counts.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";

/**
 * All or none: the first start that fails withdraws the others, and what runs already is undone.
 *
 * @param undo takes those that run. Bounded, never throws
 * @throws the first error, with the count of the others; see {@link startCountsOf}
 */
export async function startTogether(
  starts: readonly ((signal: AbortSignal) => Promise<Sandbox>)[],
  undo: (running: readonly Sandbox[]) => Promise<void>,
): Promise<Sandbox[]> {
  const withdrawal = new AbortController();
  const withdrawn = new Error("Another one of the sandboxes asked for together could not start.");
  const errors: unknown[] = [];
  const outcomes = await Promise.allSettled(
    starts.map(async (start) => {
      try {
        return await start(withdrawal.signal);
      } catch (error) {
        if (error !== withdrawn) errors.push(error);
        withdrawal.abort(withdrawn);
        throw error;
      }
    }),
  );
  const running = outcomes.flatMap((outcome) =>
    outcome.status === "fulfilled" ? [outcome.value] : [],
  );
  if (errors.length === 0) return running;
  await undo(running);
  const [first] = errors;
  noteStartCounts(first, { asked: starts.length, failed: errors.length });
  throw first;
}

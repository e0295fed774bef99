import type { Result } from "../report.ts";
import { type Load, type Stretch, observeRun } from "../scale/observed-run.ts";

const LOAD: Load = { leases: 64, processes: 4, slots: 1000, atOnce: 15 };
const LIMIT_MILLISECONDS = 1;
const LIMIT_KIB = 2;
const KIB = 1024;
const MIB = 1024 * KIB;

/** With the second one, as many wait or are on their way as there are slots. */
const SIMULATIONS = {
  "start and stop at once": { startMs: 0, stopMs: 0 },
  "start 2 s, stop 1 s": { startMs: 2000, stopMs: 1000 },
} as const;

/**
 * What a coordinator costs for each sandbox of a large run, and how that grows with the run.
 *
 * @param marks how many sandboxes the run has had when it is looked at, two or more; the last is all
 */
export async function scale(marks: readonly number[]): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const [name, simulation] of Object.entries(SIMULATIONS))
    results.push(...rowsOf(name, await observeRun(LOAD, simulation, marks)));
  return results;
}

function rowsOf(simulation: string, stretches: readonly Stretch[]): readonly Result[] {
  const [before, last] = stretches.slice(-2);
  if (before === undefined || last === undefined) throw new Error("scale needs two marks or more");
  const name = `${last.upTo} simulated sandboxes (${simulation}) over ${LOAD.leases} leases`;
  const each = (bytes: "heapBytes" | "residentBytes") =>
    (last[bytes] - before[bytes]) / last.sandboxes / KIB;
  return [
    {
      name: `${name}: coordinator's cpu for each of the last ${last.sandboxes}`,
      ...{ value: last.cpuMs / last.sandboxes, unit: "ms", limit: LIMIT_MILLISECONDS },
      figures: stretches.map(described),
      samples: [],
    },
    {
      name: `${name}: memory of the coordinator that an ended one leaves`,
      ...{ value: each("heapBytes"), unit: "KiB", limit: LIMIT_KIB, samples: [] },
      figures: [`resident, with garbage: ${each("residentBytes").toFixed(1)} KiB each`],
    },
  ];
}

function described(stretch: Stretch): string {
  const { upTo, sandboxes, seconds, cpuMs } = stretch;
  return (
    `up to ${upTo}: ${(cpuMs / sandboxes).toFixed(2)} ms of cpu each, ${(sandboxes / seconds).toFixed(0)} sandboxes/s; ` +
    `heap in use then ${(stretch.heapBytes / MIB).toFixed(1)} MiB, resident with garbage ${(stretch.residentBytes / MIB).toFixed(0)} MiB`
  );
}

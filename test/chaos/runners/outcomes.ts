import type { Bed } from "../../support/bed.ts";
import { versionName } from "../framework.ts";
import { jest } from "../frameworks/jest.ts";
import { vitest } from "../frameworks/vitest.ts";
import { BAD_ENDS } from "./bad-ends.ts";
import { type Observation, observeEnd } from "./observe-end.ts";
import { type Outcome, type Place, cellsOf } from "./table-file.ts";

/** In the order of the table. A worker that files share ends as one that they do not. */
export function allObservations(): readonly Observation[] {
  return BAD_ENDS.flatMap((end) =>
    [vitest, jest].flatMap((framework) =>
      framework.setups
        .filter((setup) => !setup.pool.endsWith("-shared") && end.appliesTo?.(setup) !== false)
        .map((setup) => ({ framework, setup, end })),
    ),
  );
}

/** What CI looks at: everything in a version's usual pool, and what tells the others apart. */
export function isInSample({ framework, setup, end }: Observation): boolean {
  const usual = framework.setups.find(({ version }) => version === setup.version);
  return setup === usual || (end.isTelling === true && !setup.pool.startsWith("vm-"));
}

/** Observes several at a time; in the order of the observations. */
export async function outcomesOf(
  observations: readonly Observation[],
  beds: ReadonlyMap<string, Bed>,
  atOnce: number,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  const queue = [...observations.entries()];
  const work = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [index, observation] = next;
      // Ends in a letter: the mark of the first is no part of the tenth's.
      const mark = `mark-runners-${process.pid}-${index}x`;
      outcomes[index] = await outcomeOf(observation, beds, mark);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return outcomes;
}

async function outcomeOf(
  observation: Observation,
  beds: ReadonlyMap<string, Bed>,
  mark: string,
): Promise<Outcome> {
  const bed = beds.get(versionName(observation.setup));
  if (bed === undefined) throw new Error(`there is no bed of ${versionName(observation.setup)}`);
  const place = placeOf(observation);
  try {
    return { ...place, cells: cellsOf(await observeEnd(bed, observation, mark)) };
  } catch (cause) {
    const { end, runner, pool } = place;
    throw new Error(`${end}, ${runner} ${pool}: it could not be observed`, { cause });
  }
}

export function placeOf({ framework, setup, end }: Observation): Place {
  return { end: end.what, runner: `${framework.title} ${setup.version}`, pool: setup.pool };
}

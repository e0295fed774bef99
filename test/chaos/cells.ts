import { Chance } from "./chance.ts";
import { jest } from "./frameworks/jest.ts";
import { vitest } from "./frameworks/vitest.ts";
import { type Framework, type Setup, versionName } from "./framework.ts";
import { strikesByTests } from "./strikes/by-tests.ts";
import { strikesOnCoordinator } from "./strikes/on-coordinator.ts";
import { strikesOnRunner } from "./strikes/on-runner.ts";
import { strikesOnService } from "./strikes/on-service.ts";
import { strikesOnWorker } from "./strikes/on-worker.ts";
import type { BackendKind, Strike } from "./strikes/strike.ts";

/** One place in the table: a framework, its workers, a backend, and what is done to them. */
export interface Cell {
  /** As `--cell` takes it: `vitest-5/forks/served/runner-sigkill`. */
  readonly name: string;
  readonly framework: Framework;
  readonly setup: Setup;
  readonly backend: BackendKind;
  readonly strike: Strike;
}

const FRAMEWORKS: readonly Framework[] = [vitest, jest];
const BACKENDS: readonly BackendKind[] = ["served", "embedded"];

export const STRIKES: readonly Strike[] = [
  ...strikesByTests,
  ...strikesOnWorker,
  ...strikesOnRunner,
  ...strikesOnCoordinator,
  ...strikesOnService,
];

export function allCells(): readonly Cell[] {
  return FRAMEWORKS.flatMap((framework) =>
    framework.setups.flatMap((setup) =>
      BACKENDS.flatMap((backend) =>
        STRIKES.flatMap((strike) => {
          const where = { ...setup, backend };
          if (strike.appliesTo?.(where) === false) return [];
          const name = `${versionName(setup)}/${setup.pool}/${backend}/${strike.name}`;
          return [{ name, framework, setup, backend, strike }] satisfies Cell[];
        }),
      ),
    ),
  );
}

/** Each strike once before any comes twice, and each setup and backend about as often. */
export function sampleOf(cells: readonly Cell[], size: number, seed: number): readonly Cell[] {
  const chance = new Chance(seed, "sample");
  const queues = new Map<string, Cell[]>();
  for (const cell of chance.shuffled(cells)) {
    const queue = queues.get(cell.strike.name);
    if (queue === undefined) queues.set(cell.strike.name, [cell]);
    else queue.push(cell);
  }
  const used = new Map<string, number>();
  const uses = ({ setup, backend }: Cell) =>
    [setup.version, setup.pool, backend].reduce((sum, key) => sum + (used.get(key) ?? 0), 0);
  const sample: Cell[] = [];
  while (sample.length < size) {
    const before = sample.length;
    for (const strike of chance.shuffled([...queues.keys()])) {
      const queue = queues.get(strike) ?? [];
      const cell = queue.toSorted((one, other) => uses(one) - uses(other))[0];
      if (cell === undefined || sample.length === size) continue;
      queue.splice(queue.indexOf(cell), 1);
      for (const key of [cell.setup.version, cell.setup.pool, cell.backend])
        used.set(key, (used.get(key) ?? 0) + 1);
      sample.push(cell);
    }
    if (sample.length === before) break;
  }
  return sample;
}

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { packAll } from "../packaging/pack.ts";
import { type Bed, installBed } from "../support/bed.ts";
import { installJestBed } from "../support/jest-bed.ts";
import { type Cell, allCells, sampleOf } from "./cells.ts";
import { versionName } from "./framework.ts";
import { runCell } from "./run-cell.ts";
import { describeVerdict, tableOf } from "./table.ts";
import type { Verdict } from "./verdict.ts";

const HELP = `npm run chaos -- [options]
  (none)          a sample of about two minutes
  --all           every cell once
  --strikes N     N strikes, the cells drawn by lot, each strike about as often
  --cell NAME     one cell, such as vitest-5/forks/served/runner-sigkill; a part of it takes all that have it
  --seed N        repeats what was drawn (default: by the clock)
  --jobs N        cells at once (default 2)
  --list          only says which cells there would be
  --json FILE     the verdicts (default chaos.json)`;

const SAMPLE = 16;

const { values } = parseArgs({
  options: {
    all: { type: "boolean", default: false },
    strikes: { type: "string" },
    cell: { type: "string" },
    seed: { type: "string" },
    jobs: { type: "string", default: "2" },
    list: { type: "boolean", default: false },
    json: { type: "string", default: "chaos.json" },
    help: { type: "boolean", default: false },
  },
});

process.exitCode = values.help ? help() : await main();

function help(): number {
  console.log(HELP);
  return 0;
}

async function main(): Promise<number> {
  const seed =
    values.seed === undefined ? Date.now() % 1_000_000 : wholeNumber("seed", values.seed);
  const cells = chooseCells(seed);
  if (values.list) {
    for (const { name } of cells) console.log(name);
    return 0;
  }
  const root = await mkdtemp(join(tmpdir(), "tidybox-chaos-"));
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => interrupted.abort());
  try {
    const beds = await installBeds(root, cells);
    const startedAt = performance.now();
    const verdicts = await strikeAll(cells, beds, seed, interrupted.signal);
    const minutes = (performance.now() - startedAt) / 60_000;
    for (const line of tableOf(verdicts)) console.log(line);
    console.log(
      `${verdicts.length} strikes in ${minutes.toFixed(1)} min, seed ${seed}: repeat one with npm run chaos -- --seed ${seed} --cell NAME`,
    );
    const file = resolve(values.json);
    await writeFile(file, `${JSON.stringify({ seed, minutes, verdicts }, undefined, 2)}\n`);
    return verdicts.length > 0 && verdicts.every(({ ok }) => ok) ? 0 : 1;
  } finally {
    await rm(root, { recursive: true, force: true, maxRetries: 3 });
  }
}

function chooseCells(seed: number): readonly Cell[] {
  const cells = allCells();
  if (values.cell !== undefined) {
    const { cell } = values;
    const exact = cells.filter(({ name }) => name === cell);
    const chosen = exact.length > 0 ? exact : cells.filter(({ name }) => name.includes(cell));
    if (chosen.length === 0) throw new Error(`no cell is called ${cell}: see --list`);
    return chosen;
  }
  if (values.all) return cells;
  const size = values.strikes === undefined ? SAMPLE : wholeNumber("strikes", values.strikes);
  const chosen: Cell[] = [];
  for (let round = 0; chosen.length < size; round += 1)
    chosen.push(...sampleOf(cells, size - chosen.length, seed + round));
  return chosen;
}

async function installBeds(
  root: string,
  cells: readonly Cell[],
): Promise<ReadonlyMap<string, Bed>> {
  const tarballs = await packAll();
  const beds = new Map<string, Bed>();
  for (const { setup } of cells) {
    const name = versionName(setup);
    if (beds.has(name)) continue;
    const install = setup.framework === "jest" ? installJestBed : installBed;
    beds.set(name, await install(root, setup.version, tarballs));
  }
  return beds;
}

/** Several at a time: each has its own service, project and temporary folder. */
async function strikeAll(
  cells: readonly Cell[],
  beds: ReadonlyMap<string, Bed>,
  seed: number,
  signal: AbortSignal,
): Promise<readonly Verdict[]> {
  const times = new Map<string, number>();
  // A cell that comes again draws something else.
  const queue = cells.map((cell) => {
    const time = times.get(cell.name) ?? 0;
    times.set(cell.name, time + 1);
    return { cell, seed: seed + time };
  });
  const verdicts: Verdict[] = [];
  const work = async () => {
    for (let next = queue.shift(); next !== undefined && !signal.aborted; next = queue.shift()) {
      const { cell, seed: own } = next;
      const bed = beds.get(versionName(cell.setup));
      if (bed === undefined) throw new Error(`there is no bed of ${versionName(cell.setup)}`);
      const verdict = await runCell(bed, cell, own, true).catch((error: unknown) =>
        broken(cell, own, error),
      );
      verdicts.push(verdict);
      console.log(describeVerdict(verdict));
    }
  };
  await Promise.all(Array.from({ length: wholeNumber("jobs", values.jobs) }, work));
  return verdicts;

  function broken(cell: Cell, own: number, error: unknown): Verdict {
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return {
      cell: cell.name,
      strike: cell.strike.name,
      seed: own,
      ok: false,
      made: 0,
      left: 0,
      touched: 0,
      seconds: undefined,
      quietSeconds: undefined,
      goalSeconds: 0,
      isLate: false,
      exit: "none",
      problems: [`the strike could not be carried out: ${why}`],
      said: "",
    };
  }
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0 && text.trim() !== "") return value;
  throw new Error(`--${option} must be a whole number, not ${JSON.stringify(text)}`);
}

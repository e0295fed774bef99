import type { ObservedEnd } from "./observe-end.ts";

/** Where in the table. */
export interface Place {
  readonly end: string;
  /** `Jest 30`. */
  readonly runner: string;
  readonly pool: string;
}

/** What one runner does at one end. */
export interface Outcome extends Place {
  /** As they stand in the table: see {@link cellsOf}. */
  readonly cells: string;
}

const COLUMNS: readonly (readonly [string, keyof ObservedEnd])[] = [
  ["exit", "exit"],
  ["exits", "when"],
  ["hooks of a", "hooksOfA"],
  ["hooks of b", "hooksOfB"],
  ["global teardown", "globalTeardown"],
  ["processes", "workers"],
];

export function cellsOf(observed: ObservedEnd): string {
  return COLUMNS.map(([, key]) => observed[key]).join(" | ");
}

/** A section for each end, and in it one row for all runners that do the same. */
export function render(head: string, outcomes: readonly Outcome[]): string {
  const sections = [...grouped(outcomes, ({ end }) => end)].flatMap(([end, ofEnd]) => [
    `## ${end}\n`,
    row(["runner", ...COLUMNS.map(([name]) => name)]),
    row(["---", ...COLUMNS.map(() => "---")]),
    ...[...grouped(ofEnd, ({ cells }) => cells)].map(([cells, same]) =>
      row([runnersOf(same), cells]),
    ),
    "",
  ]);
  return [head, ...sections].join("\n");
}

/** The opposite of {@link render}. */
export function parse(table: string): readonly Outcome[] {
  const outcomes: Outcome[] = [];
  let end = "";
  for (const text of table.split("\n")) {
    if (text.startsWith("## ")) end = text.slice(3);
    const [, runners, cells] = /^\| (.*?: .*?) \| (.*) \|$/.exec(text) ?? [];
    if (runners === undefined || cells === undefined) continue;
    for (const ofRunner of runners.split("; ")) {
      const [runner = "", pools = ""] = ofRunner.split(": ");
      for (const pool of pools.split(", ")) outcomes.push({ end, runner, pool, cells });
    }
  }
  return outcomes;
}

/** The table when these have been observed. What nobody looked at stays; other places go. */
export function updated(
  places: readonly Place[],
  table: readonly Outcome[],
  observed: readonly Outcome[],
): readonly Outcome[] {
  const keyOf = ({ end, runner, pool }: Place) => [end, runner, pool].join(" | ");
  const known = new Map([...table, ...observed].map((outcome) => [keyOf(outcome), outcome]));
  return places.flatMap((place) => known.get(keyOf(place)) ?? []);
}

/** `Vitest 4: forks, vm-forks; Jest 30: workers`. */
function runnersOf(outcomes: readonly Outcome[]): string {
  return [...grouped(outcomes, ({ runner }) => runner)]
    .map(([runner, same]) => `${runner}: ${same.map(({ pool }) => pool).join(", ")}`)
    .join("; ");
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function grouped<T>(
  all: readonly T[],
  keyOf: (each: T) => string,
): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const each of all) {
    const group = groups.get(keyOf(each));
    if (group === undefined) groups.set(keyOf(each), [each]);
    else group.push(each);
  }
  return groups;
}

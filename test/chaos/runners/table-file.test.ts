import { expect, test } from "vitest";
import { type Outcome, cellsOf, parse, render, updated } from "./table-file.ts";

const GOES_ON = cellsOf({
  exit: "1",
  when: "after b",
  hooksOfA: "afterEach, fixture",
  hooksOfB: "no",
  globalTeardown: "runs, beside b",
  workers: "until their body's end",
});
const DIES = cellsOf({
  exit: "SIGINT",
  when: "at once",
  hooksOfA: "no",
  hooksOfB: "no",
  globalTeardown: "no",
  workers: "gone",
});
const OUTCOMES: readonly Outcome[] = [
  { end: "--bail", runner: "Vitest 3.2", pool: "forks", cells: GOES_ON },
  { end: "--bail", runner: "Vitest 3.2", pool: "threads", cells: GOES_ON },
  { end: "--bail", runner: "Jest 30", pool: "in-band", cells: GOES_ON },
  { end: "SIGINT, runner", runner: "Jest 30", pool: "workers", cells: DIES },
];

test("runners that do the same share a row, and are read from it again", () => {
  const text = render("# Head\n", OUTCOMES);
  expect(text).toContain("| Vitest 3.2: forks, threads; Jest 30: in-band | 1 | after b | ");
  expect(parse(text)).toEqual(OUTCOMES);
});

test("a row changes with what is observed, and stays where nobody looked", () => {
  const [first, second] = OUTCOMES as readonly [Outcome, Outcome];
  const now = { ...second, cells: DIES };
  expect(updated(OUTCOMES, OUTCOMES, [now])).toEqual(OUTCOMES.with(1, now));
  expect(updated([first], OUTCOMES, [now])).toEqual([first]);
});

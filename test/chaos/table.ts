import type { Verdict } from "./verdict.ts";

/** One line for each strike: cells, left, touched, median and worst seconds; and when all was quiet. */
export function tableOf(verdicts: readonly Verdict[]): readonly string[] {
  const strikes = [...new Set(verdicts.map(({ strike }) => strike))].toSorted();
  const rows = strikes.map((strike) =>
    rowOf(
      strike,
      verdicts.filter((each) => each.strike === strike),
    ),
  );
  const head = [
    "STRIKE",
    "CELLS",
    "MADE",
    "LEFT",
    "TOUCHED",
    "MEDIAN S",
    "WORST S",
    "QUIET S",
    "LATE",
    "FAILED",
  ];
  return aligned([head, ...rows, rowOf("all", verdicts)]);
}

function rowOf(name: string, verdicts: readonly Verdict[]): readonly string[] {
  const sum = (of: (verdict: Verdict) => number) =>
    String(verdicts.reduce((total, verdict) => total + of(verdict), 0));
  const times = verdicts
    .flatMap(({ seconds }) => (seconds === undefined ? [] : [seconds]))
    .toSorted((one, other) => one - other);
  const shown = (time: number | undefined) => (time === undefined ? "-" : time.toFixed(2));
  return [
    name,
    String(verdicts.length),
    sum(({ made }) => made),
    sum(({ left }) => left),
    sum(({ touched }) => touched),
    shown(times[Math.floor((times.length - 1) / 2)]),
    times.length < verdicts.length ? "never" : shown(times.at(-1)),
    verdicts.some(({ quietSeconds }) => quietSeconds === undefined)
      ? "never"
      : shown(Math.max(...verdicts.map(({ quietSeconds = 0 }) => quietSeconds))),
    sum(({ isLate }) => Number(isLate)),
    sum(({ ok }) => Number(!ok)),
  ];
}

function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((text, column) =>
        column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0),
      )
      .join("  "),
  );
}

/** What one cell came to, on one line, and its problems below it. */
export function describeVerdict(verdict: Verdict): string {
  const {
    cell,
    ok,
    made,
    left,
    touched,
    seconds,
    goalSeconds,
    isLate,
    exit,
    problems,
    said,
    seed,
  } = verdict;
  const time = seconds === undefined ? "never empty" : `empty after ${seconds.toFixed(2)} s`;
  const late = isLate ? ` (goal ${goalSeconds} s)` : "";
  return [
    `${ok ? "ok    " : "FAILED"}  ${cell}  made ${made}, left ${left}, touched ${touched}, ${time}${late}, exit ${exit}`,
    ...problems.map((problem) => `          ${problem}`),
    ...(ok ? [] : [`          again: npm run chaos -- --seed ${seed} --cell ${cell}`]),
    ...(ok || said === "" ? [] : [`          it said: ${said}`]),
  ].join("\n");
}

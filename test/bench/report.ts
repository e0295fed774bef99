import type { Sample } from "./measure.ts";

/** One row of the closing table. */
export interface Result {
  readonly name: string;
  /** What was measured, in words with units. */
  readonly figures: readonly string[];
  /** The figure that a limit is set for, and the limit. */
  readonly value: number;
  readonly unit: string;
  readonly limit: number;
  readonly samples: readonly Sample[];
}

/** `judged`: says which limits are reached, which so few rounds as those of a smoke run cannot tell. */
export function printReport(results: readonly Result[], judged: boolean): void {
  const verdict = ({ value, limit }: Result): string =>
    judged ? (value <= limit ? "reached" : "NOT REACHED") : "ran";
  const lines = results.flatMap((result) => {
    const { name, figures, value, unit, limit } = result;
    return [
      `${verdict(result)}  ${name}: ${value.toFixed(2)} ${unit} (limit ${Number(limit.toFixed(2))} ${unit})`,
      ...figures.map((figure) => `               ${figure}`),
    ];
  });
  process.stdout.write(`\n${lines.join("\n")}\n\n${JSON.stringify(results, undefined, 2)}\n`);
}

export function describeSample({ name, medianMs, p10Ms, p90Ms, runs }: Sample): string {
  return `${name}: median ${medianMs.toFixed(2)} ms (p10 ${p10Ms.toFixed(2)}, p90 ${p90Ms.toFixed(2)}, ${runs} runs)`;
}

/** The tenth percentiles too: load that comes and goes on the machine spoils them least. */
export function describeRatio(ours: Sample | undefined, theirs: Sample | undefined): string {
  const of = (key: "medianMs" | "p10Ms" | "p90Ms"): string =>
    `${((ours?.[key] ?? Number.NaN) / (theirs?.[key] ?? Number.NaN)).toFixed(2)} ×`;
  return `${ours?.name ?? ""} against ${theirs?.name ?? ""}: medians ${of("medianMs")}, p10 ${of("p10Ms")}, p90 ${of("p90Ms")}`;
}

import type { FuzzReport, Memory } from "./run.ts";

const MEBIBYTE = 1024 * 1024;

/** For a person; problems last, where they are seen. */
export function reportLines(report: FuzzReport): readonly string[] {
  const { seed, cases, seconds, memoryBefore, memoryAfter, perRpc, perKind, answers } = report;
  const words = ({ residentBytes, usedBytes }: Memory): string =>
    `${(usedBytes / MEBIBYTE).toFixed(0)} MiB used, ${(residentBytes / MEBIBYTE).toFixed(0)} MiB resident`;
  return [
    `fuzz  ${cases} cases of seed ${seed} in ${seconds.toFixed(1)} s`,
    `fuzz  memory of the service: warm ${words(memoryBefore)}; at the end ${words(memoryAfter)}`,
    `fuzz  ${list(perRpc)}`,
    `fuzz  ${list(perKind)}`,
    `fuzz  answers: ${list(answers)}`,
    ...report.left.map((left) => `LEFT BEHIND: ${left}`),
    ...report.problems.map((problem) => `PROBLEM: ${problem}`),
  ];
}

function list(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .toSorted(([, one], [, other]) => other - one)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}

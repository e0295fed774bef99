import { expect, inject, test } from "vitest";
import { type Bed, SUPPORTED_VERSIONS } from "../../support/bed.ts";
import { BAD_ENDS } from "./bad-ends.ts";
import { type ObservedEnd, observeEnd } from "./observe-end.ts";

const HEAD = `# What each Vitest does when a run ends badly

Written by \`vitest -u\` from what is observed, without any tidybox: the pool \`forks\`, two workers in
the body of one test each; what happens, happens to test or worker \`a\`. "runner" is a signal to the
runner alone, "group" one to its process group, as Ctrl+C sends it. CI fails when a version behaves
otherwise than this table says.
`;

const TIMEOUT_MS = 600_000;
const beds = inject("beds");

test(
  "runners.md is what the runners do",
  async (context) => {
    if (beds.length < SUPPORTED_VERSIONS.length)
      context.skip("needs every supported Vitest: with fewer the table would lose rows");
    const all = await Promise.all(beds.map((bed) => rowsOf(bed)));
    const rows = BAD_ENDS.flatMap((_, index) => all.map((ofBed) => ofBed[index] ?? ""));
    const head = [
      "end",
      "Vitest",
      "exit",
      "hooks of a",
      "hooks of b",
      "global teardown",
      "workers",
    ];
    await expect(
      [HEAD, row(head), row(head.map(() => "---")), ...rows, ""].join("\n"),
    ).toMatchFileSnapshot("runners.md");
  },
  TIMEOUT_MS,
);

async function rowsOf(bed: Bed): Promise<readonly string[]> {
  const rows: string[] = [];
  for (const [index, end] of BAD_ENDS.entries()) {
    const mark = `mark-runners-${bed.version}-${index}-${process.pid}`;
    rows.push(row([end.what, bed.version, ...cellsOf(await observeEnd(bed, end, mark))]));
  }
  return rows;
}

function cellsOf(end: ObservedEnd): readonly string[] {
  const { exit, hooksOfA, hooksOfB, globalTeardown, workers } = end;
  return [exit, hooksOfA, hooksOfB, globalTeardown, workers];
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

import { expect, test } from "vitest";
import { allLaunches, JEST_VERSIONS, type Launch, POOLS, wantedLaunches } from "./cells.ts";
import { SUITES } from "./suites.ts";
import { TRANSPILERS } from "./transpilers.ts";

const HEAD = `# The Jest matrix

Written by \`vitest -u\` from the suites of this folder. A cell is one version of Jest, module system,
transpiler, pool and Node; every cell runs the same suites and must come to the same numbers, to the
test and to the sandbox. CI runs the cells marked with *, \`TIDYBOX_TEST_JEST_MATRIX=full\` all.
`;

const TOTAL = SUITES.reduce((sum, suite) => sum + testsOf(suite), 0);

/** So that the table is what is tested, and nothing else. */
test("matrix.md is current", async () => {
  await expect(page()).toMatchFileSnapshot("matrix.md");
});

function page(): string {
  const columns = JEST_VERSIONS.flatMap((jest) => POOLS.map((pool) => ({ jest, pool })));
  const rows = allLaunches().filter(({ jest, pool }) => jest === "30" && pool === "workers");
  const cells = rows.flatMap(({ modules, node }) =>
    TRANSPILERS.map(({ name }) => [
      name,
      modules,
      node,
      ...columns.map(({ jest, pool }) => {
        const isInCi = isRunByCi({ jest, pool, modules, node }, name);
        return `${TOTAL}${isInCi ? " *" : ""}`;
      }),
    ]),
  );
  return [
    HEAD,
    ...table(
      [
        "transpiler",
        "modules",
        "Node",
        ...columns.map(({ jest, pool }) => `Jest ${jest}, ${pool}`),
      ],
      cells,
    ),
    "",
    "What each cell runs:",
    "",
    ...table(
      [
        ...["suite", "tests", "passed", "failed, as they must", "skipped", "todo", "sandboxes"],
        "more where parameters are hidden",
      ],
      SUITES.map((suite) => [
        `[${suite.name}](suites/${suite.name}.js)`,
        String(testsOf(suite)),
        String(suite.passed),
        String(Object.keys(suite.failed).length),
        String(suite.skipped),
        String(suite.todo),
        String(suite.sandboxes),
        String(suite.more ?? 0),
      ]),
    ),
    "",
    "What a transpiler leaves of `async ({ sandbox }) => sandbox`, as a pattern that the suite `plain`",
    "holds against the function's own text:",
    "",
    ...table(
      ["transpiler", "text"],
      TRANSPILERS.map(({ name, sample }) => [name, `\`${sample.replaceAll("|", "\\|")}\``]),
    ),
    "",
  ].join("\n");
}

function testsOf({ passed, failed, skipped, todo }: (typeof SUITES)[number]): number {
  return passed + Object.keys(failed).length + skipped + todo;
}

function isRunByCi(cell: Omit<Launch, "transpilers">, transpiler: string): boolean {
  return wantedLaunches({}).some(
    (launch) =>
      launch.jest === cell.jest &&
      launch.pool === cell.pool &&
      launch.modules === cell.modules &&
      launch.node === cell.node &&
      launch.transpilers.some(({ name }) => name === transpiler),
  );
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)];
}

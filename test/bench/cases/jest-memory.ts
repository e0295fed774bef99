import { makeJestBed } from "../jest-bed.ts";
import { quantile } from "../measure.ts";
import type { Result } from "../report.ts";

const LIMIT_MIB = 40;

/** The same file but for the fixture; a test may answer what it likes to `process`, so it is read there. */
const fileOf = (parameter: string, use: string): string => `
  const { readFileSync, appendFileSync } = require("node:fs");
  test("one", async (${parameter}) => { ${use} });
  test("two", async () => {});
  afterAll(() => {
    const kilobytes = /VmRSS:\\s+(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1];
    appendFileSync("resident.txt", kilobytes / 1024 + "\\n");
  });
`;
const BARE = fileOf("", "");
const USING = fileOf("{ sandbox }", 'await sandbox.exec(["true"]);');

/**
 * Resident memory of a worker of Jest's at the end of a file that used a sandbox, against the end of
 * the same file without us. A limit of idle memory that is never reached keeps Jest from running so
 * small a suite in its own process, where the runner's half of us would count too.
 */
export async function jestMemory(rounds: number): Promise<readonly Result[]> {
  await using bed = await makeJestBed();
  const contenders = await Promise.all(
    [
      { name: "Jest alone", preset: {}, text: BARE },
      { name: "with the preset, no sandbox", preset: { preset: "@tidybox/jest" }, text: BARE },
      { name: "with the preset, a sandbox used", preset: { preset: "@tidybox/jest" }, text: USING },
    ].map(async ({ name, preset, text }) => ({
      name,
      residentMiB: [] as number[],
      project: await bed.project({
        "jest.config.json": JSON.stringify({ ...preset, workerIdleMemoryLimit: "64GB" }),
        "a.test.js": text,
        "b.test.js": text,
      }),
    })),
  );
  for (let round = -1; round < rounds; round += 1) {
    for (const { project, residentMiB } of contenders) {
      await project.run("--maxWorkers=2");
      const taken = await project.takeNumbers("resident.txt");
      if (round >= 0) residentMiB.push(...taken);
    }
  }
  const medians = contenders.map(({ residentMiB }) =>
    quantile(
      residentMiB.toSorted((a, b) => a - b),
      0.5,
    ),
  );
  const [alone = Number.NaN, , used = Number.NaN] = medians;
  return [
    {
      name: "Jest: memory of a worker at the end of a file that used a sandbox, over Jest alone",
      value: used - alone,
      unit: "MiB",
      limit: LIMIT_MIB,
      figures: contenders.map(
        ({ name, residentMiB }, at) =>
          `${name}: median ${(medians[at] ?? Number.NaN).toFixed(1)} MiB (${residentMiB.length} files)`,
      ),
      samples: [],
    },
  ];
}

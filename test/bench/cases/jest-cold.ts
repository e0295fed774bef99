import { makeJestBed } from "../jest-bed.ts";
import { type Sample, sideBySide } from "../measure.ts";
import { type Result, describeSample } from "../report.ts";

const LIMIT_MILLISECONDS = 500;
/** A file without sandboxes must pay next to nothing. */
const PER_FILE_LIMIT_MILLISECONDS = 10;
const FILES = 20;

const EMPTY = 'test("nothing", () => {});\n';
const USING = 'test("one", async ({ sandbox }) => { await sandbox.exec(["true"]); });\n';
const PRESET = JSON.stringify({ preset: "@tidybox/jest" });

/**
 * What the preset adds to a suite of one empty file, and to each file more; whole processes, each
 * cold but for the cache of transformed files, side by side.
 */
export async function jestCold(rounds: number): Promise<readonly Result[]> {
  await using bed = await makeJestBed();
  const files = (text: string, count: number): Readonly<Record<string, string>> =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`f${at}.test.js`, text]));
  const contender = async (
    name: string,
    config: string,
    tests: Readonly<Record<string, string>>,
  ) => {
    const project = await bed.project({ "jest.config.json": config, ...tests });
    return { name, once: () => project.run("--runInBand") };
  };
  const samples = await sideBySide(
    [
      await contender("Jest alone", "{}", files(EMPTY, 1)),
      await contender("with the preset", PRESET, files(EMPTY, 1)),
      await contender("with the preset, one test that uses a sandbox", PRESET, files(USING, 1)),
      await contender(`Jest alone, ${FILES} files`, "{}", files(EMPTY, FILES)),
      await contender(`with the preset, ${FILES} files`, PRESET, files(EMPTY, FILES)),
    ],
    rounds,
    1,
  );
  const [alone, added, used, aloneMany, addedMany] = samples;
  const difference = (more: Sample | undefined, less: Sample | undefined): number =>
    (more?.medianMs ?? Number.NaN) - (less?.medianMs ?? Number.NaN);
  const once = difference(added, alone);
  return [
    {
      name: "Jest: what the preset adds to an otherwise empty suite of one file, cold",
      ...{ value: once, unit: "ms", limit: LIMIT_MILLISECONDS },
      figures: [
        ...samples.map(describeSample),
        `a first sandbox adds ${difference(used, added).toFixed(0)} ms more`,
      ],
      samples,
    },
    {
      name: "Jest: what the preset adds to each further file that uses no sandbox",
      value: (difference(addedMany, aloneMany) - once) / (FILES - 1),
      ...{ unit: "ms", limit: PER_FILE_LIMIT_MILLISECONDS, figures: [], samples: [] },
    },
  ];
}

import { expect, test } from "vitest";
import { BEDS } from "./beds.ts";
import type { Sentence } from "./contract.ts";
import { sentences } from "./sections/index.ts";

const HEAD = `# What each engine cannot do

Written by \`vitest -u\` from the cases of this folder: each line is a sentence of the API's behaviour
contract that an engine cannot keep, and a test checks that it says so itself.
`;

/** So that the table is what is tested, and nothing else. */
test("engines.md is current", async () => {
  await expect(table(sentences)).toMatchFileSnapshot("engines.md");
});

function table(all: readonly Sentence[]): string {
  const rows = all.flatMap(({ section, says, unless }) =>
    BEDS.flatMap((bed) => {
      const exception = unless[bed];
      return exception === undefined
        ? []
        : [`| ${section} | ${says} | ${bed} | ${exception.cannot} |`];
    }),
  );
  const counts = BEDS.map((bed) => {
    const kept = all.filter(({ unless }) => unless[bed] === undefined).length;
    return `| ${bed} | ${kept} of ${all.length} |`;
  });
  return [
    HEAD,
    "| engine | sentences kept |",
    "| --- | --- |",
    ...counts,
    "",
    "| section | sentence | engine | it cannot |",
    "| --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}

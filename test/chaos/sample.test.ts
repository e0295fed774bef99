import { describe, expect, inject, test } from "vitest";
import { allCells, sampleOf } from "./cells.ts";
import { runCell } from "./run-cell.ts";
import { describeVerdict } from "./table.ts";

/** The same for everybody; `npm run chaos` draws another one each time. */
const SEED = Number(process.env["TIDYBOX_TEST_CHAOS_SEED"] ?? 5);
const SIZE = 14;
const TIMEOUT_MS = 240_000;

const beds = inject("beds");
const versions = new Set(beds.map(({ version }) => version));
const cells = allCells().filter(({ setup }) => versions.has(setup.version));

describe(`strikes of seed ${SEED}`, () => {
  test.concurrent.each(sampleOf(cells, SIZE, SEED))(
    "$name leaves nothing and touches nobody else's",
    async (cell) => {
      const bed = beds.find(({ version }) => version === cell.setup.version);
      if (bed === undefined) throw new Error(`there is no bed of ${cell.setup.version}`);
      const verdict = await runCell(bed, cell, SEED);
      console.info(describeVerdict(verdict));
      expect(verdict.left, describeVerdict(verdict)).toBe(0);
      expect(verdict.touched, describeVerdict(verdict)).toBe(0);
      expect(verdict.problems, describeVerdict(verdict)).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

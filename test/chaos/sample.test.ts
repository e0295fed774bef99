import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { packAll } from "../packaging/pack.ts";
import { installJestBed } from "../support/jest-bed.ts";
import { allCells, sampleOf } from "./cells.ts";
import { versionName } from "./framework.ts";
import { runCell } from "./run-cell.ts";
import { describeVerdict } from "./table.ts";

/** The same for everybody; `npm run chaos` draws another one each time. */
const SEED = Number(process.env["TIDYBOX_TEST_CHAOS_SEED"] ?? 5);
const SIZE = 14;
const TIMEOUT_MS = 240_000;

const beds = new Map(inject("beds").map((bed) => [versionName(bed), bed]));
const sample = sampleOf(allCells(), SIZE, SEED);
let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "tidybox-beds-"));
  const tarballs = await packAll();
  for (const { setup } of sample) {
    const name = versionName(setup);
    if (!beds.has(name)) beds.set(name, await installJestBed(root, setup.version, tarballs));
  }
}, 240_000);
afterAll(() => rm(root, { recursive: true, force: true, maxRetries: 3 }));

describe(`strikes of seed ${SEED}`, () => {
  test.concurrent.each(sample)(
    "$name leaves nothing and touches nobody else's",
    async (cell) => {
      const bed = beds.get(versionName(cell.setup));
      if (bed === undefined) throw new Error(`there is no bed of ${versionName(cell.setup)}`);
      const verdict = await runCell(bed, cell, SEED);
      console.info(describeVerdict(verdict));
      expect(verdict.left, describeVerdict(verdict)).toBe(0);
      expect(verdict.touched, describeVerdict(verdict)).toBe(0);
      expect(verdict.problems, describeVerdict(verdict)).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packAll } from "../../packaging/pack.ts";
import { installJestBed, type JestBed } from "./bed.ts";
import { JEST_VERSIONS, type JestVersion, wantedLaunches } from "./cells.ts";
import { findDifferences } from "./compare.ts";
import { type LaunchEnd, runLaunch } from "./run.ts";

let root: string;
const beds = new Map<JestVersion, JestBed>();
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "tidybox-beds-"));
  const tarballs = await packAll();
  // One after the other: npm's installs share its cache and two cores.
  for (const version of JEST_VERSIONS)
    beds.set(version, await installJestBed(root, version, tarballs));
}, 480_000);
afterAll(() => rm(root, { recursive: true, force: true, maxRetries: 3 }));

describe.each(wantedLaunches())("Jest $jest, $modules, $pool, Node $node", (launch) => {
  let end: LaunchEnd;
  beforeAll(async () => {
    const bed = beds.get(launch.jest);
    if (bed === undefined) throw new Error(`no bed for Jest ${launch.jest}`);
    end = await runLaunch(bed, launch);
  }, 540_000);

  test.each(launch.transpilers)("$name", (transpiler) => {
    expect(findDifferences(end, transpiler)).toEqual([]);
  });

  test("leaves nothing", () => {
    expect(end.account, end.output.slice(-4000)).toMatch(/ 0 left /);
  });
});

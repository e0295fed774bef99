import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { type Bed, SUPPORTED_VERSIONS } from "../../support/bed.ts";
import {
  SUPPORTED_JEST_VERSIONS,
  installJestBed,
  wantedJestVersions,
} from "../../support/jest-bed.ts";
import { versionName } from "../framework.ts";
import { allObservations, isInSample, outcomesOf, placeOf } from "./outcomes.ts";
import { parse, render, updated } from "./table-file.ts";

const HEAD = `# What each runner does when a run ends badly

Written from what is observed, without any tidybox: two workers in the body of one test each, \`a\`
and \`b\`; what happens, happens to test or worker \`a\`. In band \`b\` has its turn after \`a\`.

- end: "runner" is a signal to the runner alone, "group" one to its process group, as Ctrl+C sends
  it. Out of memory is a heap of 256 MB. With \`head\` the exit status is that of \`head\`. Vitest
  bails with \`--bail=1\`, which Jest takes for no bail: it does with \`--bail\`.
- exits: whether the runner waits for the bodies of the tests, which only end when they are let.
- hooks: afterEach; \`fixture\` is the teardown of a fixture of Vitest's, \`environment\` that of a
  test environment of Jest's. "no" where they never run, also not later in an orphan.
- global teardown: "beside b" where it runs before the hooks of a test that is still under way.
- processes: what outlives its runner. Threads cannot.

CI fails when a version behaves otherwise than this table says. It looks at each end in the usual
pool of each version, and at the telling ones in the other pools;
\`TIDYBOX_TEST_RUNNERS=all npx vitest run --project system test/chaos/runners\` looks at all, and
with \`-u\` writes the table anew.
`;

const TABLE = new URL("runners.md", import.meta.url);
const TIMEOUT_MS = 1_500_000;
/** They mostly wait. */
const AT_ONCE = 6;

const isLookedAt = process.env["TIDYBOX_TEST_RUNNERS"] === "all" ? () => true : isInSample;
let root: string;
const beds = new Map<string, Bed>();

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "tidybox-beds-"));
  for (const bed of inject("beds")) beds.set(versionName(bed), bed);
  for (const version of wantedJestVersions())
    beds.set(`jest-${version}`, await installJestBed(root, version));
}, 240_000);
afterAll(() => rm(root, { recursive: true, force: true, maxRetries: 3 }));

test(
  "runners.md is what the runners do",
  async (context) => {
    if (beds.size < SUPPORTED_VERSIONS.length + SUPPORTED_JEST_VERSIONS.length)
      context.skip("needs every supported runner: with fewer the table would lose rows");
    const all = allObservations();
    const observed = await outcomesOf(all.filter(isLookedAt), beds, AT_ONCE);
    expect(observed.length).toBeGreaterThan(0);
    const table = parse(await readFile(TABLE, "utf8").catch(() => ""));
    const now = updated(all.map(placeOf), table, observed);
    await expect(render(HEAD, now)).toMatchFileSnapshot("runners.md");
  },
  TIMEOUT_MS,
);

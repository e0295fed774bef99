import { expect, test } from "vitest";
import { jestBed, jestConfig, makeJestProject, wantedJests } from "../support/jest-bed.ts";
import { runJest } from "../support/jest-runner.ts";
import { lastBed } from "../support/last-bed.ts";
import { startServe } from "../support/serve.ts";

test.each(wantedJests())(
  "Jest %s: a sandbox that cannot be stopped fails the run, after its tests, and is named",
  async (version) => {
    await using service = await startServe(lastBed(), ["--fail", "delete=1"]);
    await using project = await makeJestProject(await jestBed(version), {
      "a.test.js": `test("passes", async ({ sandbox }) => {});`,
      "jest.config.cjs": jestConfig({ testEnvironmentOptions: { tidybox: { warm: false } } }),
    });
    const run = await runJest(project, { env: service.env });
    expect(
      run.tests.map(({ status }) => status),
      run.output,
    ).toEqual(["passed"]);
    expect(run.exitCode, run.output).toBe(1);
    expect(run.output).toMatch(/nobody can say that nothing of this run is left/);
    expect(run.accounts[0]).toMatch(/ 1 left/);
    expect(run.output).toMatch(/left \S+: .*\n.*npx tidybox reap --run/);
  },
);

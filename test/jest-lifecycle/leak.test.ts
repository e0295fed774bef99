import { readFile, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { jestBed, jestConfig, makeJestProject, wantedJests } from "../support/jest-project.ts";
import { startJest } from "../support/jest-runner.ts";
import { lastBed } from "../support/last-bed.ts";
import { processesWith, until } from "../support/observer.ts";
import { startServe } from "../support/serve.ts";

const HOLDS = `
const { existsSync, writeFileSync } = require("node:fs");
test("holds", async ({ sandbox }) => {
  writeFileSync("ready.txt", sandbox.id);
  while (!existsSync("go-on")) await new Promise((resolve) => setTimeout(resolve, 50));
});
`;

test.each(wantedJests())(
  "Jest %s: where nobody can say that nothing is left, the run fails after its tests have passed",
  async (version) => {
    await using service = await startServe(lastBed());
    await using project = await makeJestProject(await jestBed(version), {
      "holds.test.js": HOLDS,
      "jest.config.cjs": jestConfig({
        testEnvironmentOptions: { tidybox: { warm: false, report: "account.json" } },
      }),
    });
    const jest = startJest(project, { env: service.env });
    await until(
      "a test under way",
      60,
      () => readFile(`${project.directory}/ready.txt`, "utf8").catch(() => ""),
      (text) => text !== "",
    );
    process.kill(service.pid, "SIGKILL");
    await writeFile(`${project.directory}/go-on`, "");
    const run = await jest.ended;
    expect(run.exitCode, run.output).toBe(1);
    expect(run.output).toMatch(/Tests: +1 passed/);
    expect(run.output).toMatch(/nobody can say that nothing of this run is left/);
    expect(run.output).toMatch(/not verified|left sb-/);
    expect(run.output).toMatch(/npx tidybox reap --run \w+/);
    expect(run.accounts.join("\n")).not.toMatch(/ 0 left/);
    // The coordinator goes on trying for a while, as it must.
    for (const { pid } of processesWith(project.temp)) process.kill(pid, "SIGKILL");
  },
);

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { jestBed, jestConfig, makeJestProject, wantedJests } from "../support/jest-project.ts";
import { runJest } from "../support/jest-runner.ts";

const PREPARE = (content: string) => `
import { appendFileSync } from "node:fs";
export default async (sandbox: { writeFile(path: string, text: string): Promise<void> }) => {
  appendFileSync("prepared.log", "${content}\\n");
  await sandbox.writeFile("/workspace/data.txt", "${content}");
};
`;

const SUITE = (name: string) => `
const { test } = require("@tidybox/jest");
for (const turn of [1, 2]) {
  test("${name} " + turn, async ({ sandbox }) => {
    expect(await sandbox.readTextFile("/workspace/data.txt")).toBe("of the run");
    await sandbox.writeFile("/workspace/data.txt", "spoiled");
  });
}
describe("with its own", () => {
  test.use({ prepare: "own.ts" });
  test("own", async ({ sandbox }) => {
    expect(await sandbox.readTextFile("/workspace/data.txt")).toBe("of the file");
  });
});
`;

describe.each(wantedJests())("Jest %s", (version) => {
  test.each([["in band", ["--runInBand"]] as const, ["in workers", ["--maxWorkers=2"]] as const])(
    "sandboxes are prepared once for a run, %s",
    async (_, args) => {
      await using project = await makeJestProject(await jestBed(version), {
        "prepare.ts": PREPARE("of the run"),
        "own.ts": PREPARE("of the file"),
        "a.test.js": SUITE("a"),
        "b.test.js": SUITE("b"),
        "jest.config.cjs": jestConfig({
          testEnvironmentOptions: { tidybox: { sandbox: { prepare: "prepare.ts" } } },
        }),
      });
      const run = await runJest(project, { args });
      expect(run.exitCode, run.output).toBe(0);
      expect(run.tests).toHaveLength(6);
      const log = join(project.directory, "prepared.log");
      expect(existsSync(log) && readFileSync(log, "utf8")).toBe("of the run\nof the file\n");
      expect(run.accounts.join()).toMatch(/6 stopped by tests, 2 by sessions, .*\b0 left/);
    },
  );
});

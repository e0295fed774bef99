import { expect, inject, test } from "vitest";
import { makeProject } from "../support/bed.ts";
import { runVitest } from "../support/runner.ts";

const bed = inject("beds").at(-1);
if (bed === undefined) throw new Error("no bed");

const SUITE = (who: string) => `
import { expect, test } from "@tidybox/vitest";
test("${who}", async ({ sandbox, run }) => {
  expect((await sandbox.exec(["printenv", "WHO"])).stdout).toBe("${who}\\n");
  expect(sandbox.tags).toContain("tag-${who}");
  expect(run.tags).toContain("tag-${who}");
});
`;

const CONFIG = (who: string, more = "") => `
import { tidybox } from "@tidybox/vitest/plugin";
export default { plugins: [tidybox({ tags: ["tag-${who}"], sandbox: { environment: { WHO: "${who}" } }, ${more} })], test: { name: "${who}" } };
`;

const ROOT = 'export default { test: { projects: ["packages/*"] } };\n';

test("projects of one run keep their own sandbox options and tags, under one account", async () => {
  await using project = await makeProject(bed, {
    "vitest.config.ts": ROOT,
    "packages/one/vitest.config.ts": CONFIG("one"),
    "packages/one/a.test.ts": SUITE("one"),
    "packages/two/vitest.config.ts": CONFIG("two"),
    "packages/two/a.test.ts": SUITE("two"),
  });
  const run = await runVitest(project);
  expect(run.exitCode, run.output).toBe(0);
  expect(run.output.match(/tidybox {2}run/g)).toHaveLength(1);
  expect(run.account).toMatch(/2 sandboxes: 2 stopped by tests, 0 left/);
});

test("projects that disagree about what a run has one of end it before any test", async () => {
  await using project = await makeProject(bed, {
    "vitest.config.ts": ROOT,
    "packages/one/vitest.config.ts": CONFIG("one", "maxSandboxes: 2"),
    "packages/one/a.test.ts": SUITE("one"),
    "packages/two/vitest.config.ts": CONFIG("two", "maxSandboxes: 5"),
    "packages/two/a.test.ts": SUITE("two"),
  });
  const run = await runVitest(project);
  expect(run.exitCode).not.toBe(0);
  expect(run.output).toMatch(
    /"maxSandboxes" is \d in .*project "(one|two)".* and \d in another project/,
  );
  expect(run.tests.filter(({ status }) => status === "passed")).toEqual([]);
});

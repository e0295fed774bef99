import { expect, inject, test } from "vitest";
import { configFile, makeProject } from "../support/bed.ts";
import { runVitest } from "../support/runner.ts";

const bed = inject("beds").at(-1);
if (bed === undefined) throw new Error("no bed");

test("a run rehearses a service that fails and forgets, and leaves nothing all the same", async () => {
  await using project = await makeProject(bed, {
    "a.test.ts": `
      import { expect, test } from "@tidybox/vitest";
      test.for([1, 2, 3])("%i", async (_, { sandbox }) => {
        expect((await sandbox.exec(["echo", "a"])).stdout).toBe("a\\n");
      });
    `,
    "vitest.config.ts": configFile(
      '{ warm: false, local: { faults: { seed: 7, fail: { create: "1x", delete: "2x" }, dropAnswer: { create: "2x" }, latency: { start: "10ms" } } } }',
    ),
  });
  const run = await runVitest(project);
  expect(run.exitCode, run.output).toBe(0);
  expect(run.account).toMatch(/3 sandboxes: .*0 left/);
  expect(run.output).toContain("seed 7");
});

test("sandboxes of a run share its registered volumes", async () => {
  await using project = await makeProject(bed, {
    "a.test.ts": `
      import { expect, test } from "@tidybox/vitest";
      const volumes = [{ name: "data", volumeId: "cache", mountPath: "/cache" }];
      test("both see it", async ({ createSandbox }) => {
        const one = await createSandbox({ volumes });
        const two = await createSandbox({ volumes });
        await one.exec(["touch", "/cache/here"], { check: true });
        await two.exec(["test", "-e", "/cache/here"], { check: true });
        expect(one.id).not.toBe(two.id);
      });
    `,
    "vitest.config.ts": configFile("{ local: { volumes: { cache: {} } } }"),
  });
  const run = await runVitest(project);
  expect(run.exitCode, run.output).toBe(0);
});

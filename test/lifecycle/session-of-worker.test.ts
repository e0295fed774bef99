import { expect, inject, test } from "vitest";
import { configFile, makeProject } from "../support/bed.ts";
import { runVitest } from "../support/runner.ts";

const bed = inject("beds").at(-1);
if (bed === undefined) throw new Error("no bed");

test("what the worker's session releases gives its slot back, and the account says whose it was", async () => {
  await using project = await makeProject(bed, {
    "a.test.ts": `
      import { expect, test } from "@tidybox/vitest";
      test("three rounds of two, with two slots", async ({ session }) => {
        for (let round = 0; round < 3; round += 1) {
          const [one, two] = await session.sandboxes([{}, {}]);
          expect(await one.exec(["true"])).toSucceed();
          session.release(one);
          session.release(two);
          await expect(one.exec(["true"])).rejects.toThrow("is closed: it was released");
        }
      });
      test("one that is left to the session", async ({ session }) => {
        session.release(await session.sandbox());
        await session.sandbox();
      });
      test("all or none", async ({ session }) => {
        // The session holds one of the two slots.
        await expect(session.sandboxes([{}, { command: ["/no/such/program"] }])).rejects.toThrow(/could not start|slots/);
      });
    `,
    "vitest.config.ts": configFile(
      "{ maxSandboxes: 2, startTimeoutSeconds: 10 }",
      "{ testTimeout: 60000 }",
    ),
  });
  const run = await runVitest(project);
  expect(run.exitCode, run.output).toBe(0);
  expect(run.account).toMatch(/ by sessions, .*0 left .* peak 2 of 2/);
  expect(run.account).not.toMatch(/reaped/);
});

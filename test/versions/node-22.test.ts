import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { packAll } from "../packaging/pack.ts";
import { type Bed, installBed, makeProject } from "../support/bed.ts";
import { until } from "../support/observer.ts";
import { runVitest } from "../support/runner.ts";
import { startServe } from "../support/serve.ts";

const SUITE = `
import { expect, test } from "@tidybox/vitest";
test("runs", async ({ sandbox, createSandbox }) => {
  expect(process.versions.node).toMatch(/^22\\./);
  expect((await sandbox.exec(["echo", "hi"])).stdout).toBe("hi\\n");
  await sandbox.writeFile("/workspace/a", "b");
  await expect(sandbox).toHaveFile("/workspace/a", "b");
  expect(await (await createSandbox()).exec(["true"])).toSucceed();
});
`;

let root: string;
let bed: Bed;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "tidybox-beds-"));
  bed = await installBed(root, "5", await packAll(), "22");
}, 240_000);
afterAll(() => rm(root, { recursive: true, force: true, maxRetries: 3 }));

test("the packed packages work on Node 22, coordinator and service included", async () => {
  const { stdout } = await promisify(execFile)(bed.node, ["--version"]);
  expect(stdout).toMatch(/^v22\./);
  await using project = await makeProject(bed, { "a.test.ts": SUITE });
  const run = await runVitest(project);
  expect(run.exitCode, run.output).toBe(0);
  expect(run.account).toMatch(/2 sandboxes: 2 stopped by tests, 0 left/);
});

test("a script's sandboxes end with it on Node 22, also by the helper", async () => {
  await using service = await startServe(bed);
  await using project = await makeProject(bed, {
    "script.mjs": `
      import { Sandbox } from "@tidybox/client";
      await Promise.all([1, 2, 3].map(() => Sandbox.run()));
      process.exit(7);
    `,
  });
  const script = promisify(execFile)(bed.node, [join(project.directory, "script.mjs")], {
    env: { ...process.env, ...service.env },
  });
  await expect(script).rejects.toMatchObject({ code: 7, stderr: "" });
  await until(
    "nothing is left",
    20,
    () => service.list(),
    (left) => left.length === 0,
  );
});

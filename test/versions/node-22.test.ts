import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { packAll } from "../packaging/pack.ts";
import { type Bed, installBed, makeProject } from "../support/bed.ts";
import { runVitest } from "../support/runner.ts";

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

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, inject, test } from "vitest";
import { configFile, makeProject } from "../support/bed.ts";
import { outsideEnvironment } from "../support/environment.ts";

const SUITE = `
import { expect, test } from "@tidybox/vitest";
test("runs", async ({ sandbox, run }) => {
  expect(run.engine).toBe("process");
  expect(await sandbox.exec(["true"])).toSucceed();
});
`;

/**
 * The kernel really refuses here: inside a user namespace of our own, no further ones may be made.
 * That is what hardened hosts and containers do to bubblewrap.
 */
async function runWhereNamespacesAreForbidden(
  directory: string,
  bed: string,
  env: Record<string, string>,
) {
  const vitest = join(bed, "node_modules/vitest/vitest.mjs");
  const forbid = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$0" "$@"';
  const argv = ["--user", "--map-root-user", "sh", "-c", forbid, process.execPath, vitest, "run"];
  return promisify(execFile)("unshare", argv, {
    cwd: directory,
    env: outsideEnvironment({ CI: "1", NO_COLOR: "1", ...env }),
    timeout: 60_000,
  }).then(
    ({ stdout, stderr }) => ({ exitCode: 0, output: stdout + stderr }),
    (error: { code?: number; stdout: string; stderr: string }) => ({
      exitCode: error.code ?? -1,
      output: error.stdout + error.stderr,
    }),
  );
}

test("bubblewrap that the kernel forbids: auto goes on with the process engine and says what is weaker", async () => {
  const bed = inject("beds").at(-1);
  if (bed === undefined) throw new Error("no bed");
  await using project = await makeProject(bed, { "a.test.ts": SUITE });
  const run = await runWhereNamespacesAreForbidden(project.directory, bed.directory, {});
  expect(run.output).toMatch(/process/);
  expect(run.output).toMatch(/bubblewrap|bwrap/);
  expect(run.output).toMatch(/local\/process/);
  expect(run.exitCode, run.output).toBe(0);
});

test("bubblewrap that was asked for by name is never replaced: one error with the kernel's words", async () => {
  const bed = inject("beds").at(-1);
  if (bed === undefined) throw new Error("no bed");
  await using project = await makeProject(bed, {
    "a.test.ts": SUITE,
    "vitest.config.ts": configFile('{ local: { engine: "bubblewrap" } }'),
  });
  const run = await runWhereNamespacesAreForbidden(project.directory, bed.directory, {});
  expect(run.exitCode).not.toBe(0);
  expect(run.output).toMatch(/bubblewrap/);
  expect(run.output).toMatch(/namespace|No space left|Operation not permitted/);
  expect(run.output).not.toMatch(/1 passed/);
});

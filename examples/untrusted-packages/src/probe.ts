import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Sandbox } from "@tidybox/client";
import { findPackage, readPackage } from "./installed-package.ts";
import { parseReport, type Report } from "./report.ts";
import type { Targets } from "./targets.ts";

/** The folder of this example. */
export const EXAMPLE = join(import.meta.dirname, "..");

export const EVIL_PACKAGE = {
  name: "evil-package",
  folder: join(EXAMPLE, "fixtures", "evil-package"),
};

/**
 * Copies a package with all that it needs into the sandbox, runs its exercise there, lets the evil
 * package loose in the same process, and answers what both came to.
 */
export async function probe(sandbox: Sandbox, name: string, targets: Targets): Promise<Report> {
  const wanted = name === EVIL_PACKAGE.name ? EVIL_PACKAGE : await findPackage(name, EXAMPLE);
  const files = new Map<string, string | Uint8Array>([
    ["observe.mjs", await readFile(join(EXAMPLE, "inside", "observe.mjs"))],
    ["probe.mjs", await readFile(join(EXAMPLE, "inside", "probe.mjs"))],
    ["exercise.mjs", await readFile(join(EXAMPLE, "exercises", `${name}.mjs`))],
    ["targets.json", JSON.stringify(targets)],
  ]);
  for (const installed of new Set([wanted, EVIL_PACKAGE])) {
    for (const [path, content] of await readPackage(installed)) {
      files.set(`node_modules/${path}`, content);
    }
  }
  await Promise.all(
    [...files].map(([path, content]) => sandbox.writeFile(`/workspace/${path}`, content)),
  );
  await sandbox.exec(
    ["node", "--import", "./observe.mjs", "probe.mjs", "./exercise.mjs", "report.json"],
    {
      cwd: "/workspace",
      env: { EVIL_TARGETS: "/workspace/targets.json" },
      timeoutSeconds: 45,
      check: true,
    },
  );
  return parseReport(await sandbox.readTextFile("/workspace/report.json"));
}

/** Whether a sandbox has what it takes. */
export async function hasNode(sandbox: Sandbox): Promise<boolean> {
  return (await sandbox.exec(["sh", "-c", "command -v node"])).exitCode === 0;
}

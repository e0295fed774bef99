import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { EVIL_PACKAGE } from "./probe.ts";
import { type Loot, parseLoot, successes } from "./report.ts";
import { type Host, type Targets, UNTOUCHED } from "./targets.ts";

/** The variable whose value the evil package is after; set by the framework's configuration. */
export const VARIABLE = "EXAMPLE_REGISTRY_TOKEN";

/** All that the evil package is after was there, and it is still there, and only there. */
export async function assertNothingReached(loot: Loot, host: Host, backend: string): Promise<void> {
  assert.match(process.env[VARIABLE] ?? "", /^npm_/);
  for (const tried of [
    "environment variable",
    "process",
    "overwriting a file",
    "listener",
    "listener, from a child process",
    ...host.targets.files.map((path) => `file ${path}`),
    "outside 1.1.1.1",
  ]) {
    assert.ok(tried in loot, `it has not tried: ${tried}`);
  }
  // The service lets DNS through where it denies everything else; the local engines have none.
  const named = backend === "local" ? [] : host.targets.names.map((name) => `name ${name}`);
  assert.deepEqual(
    successes(loot).filter((name) => !named.includes(name)),
    [],
  );
  // What we see ourselves, and need not believe a report for.
  assert.equal(host.connections(), 0);
  assert.equal(await host.victim(), UNTOUCHED);
}

const PRINT_LOOT = `
const { loot } = await import(process.argv[1]);
process.stdout.write(JSON.stringify(await loot));`;

/**
 * Lets the evil package loose on this machine. The outside is left out: it is not there on every
 * machine, and need not hear from this test.
 */
export async function runOnHost(targets: Targets): Promise<Loot> {
  const folder = await mkdtemp(join(tmpdir(), "untrusted-packages-"));
  try {
    const file = join(folder, "targets.json");
    await writeFile(file, JSON.stringify({ ...targets, outside: [], names: [] }));
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--input-type=module", "--eval", PRINT_LOOT, join(EVIL_PACKAGE.folder, "index.js")],
      { env: { ...process.env, EVIL_TARGETS: file }, timeout: 30_000 },
    );
    return parseLoot(JSON.parse(stdout));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

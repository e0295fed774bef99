import { randomUUID } from "node:crypto";
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Leftover, SuiteScope } from "./leftovers.ts";
import { endProcesses, findLeftovers, findTraces, suiteMarker } from "./leftovers.ts";

let scope: SuiteScope;

beforeEach(async () => {
  const ownFolder = await mkdtemp(join(tmpdir(), "leftovers-"));
  scope = { suiteId: randomUUID(), ownFolder, temporaryFolders: [] };
});

afterEach(async () => {
  await rm(scope.ownFolder, { recursive: true, force: true });
});

/**
 * {@link findLeftovers} without what is only probably left: other tests of this machine that kill
 * their runners run at the same time.
 */
async function findCertain(
  before: readonly Leftover[],
  seconds = 0,
  of: SuiteScope = scope,
): Promise<readonly Leftover[]> {
  const left = await findLeftovers(before, of, seconds);
  return left.filter((item) => item.kind === "folder" || (item.kind === "process" && item.certain));
}

/** A suite that starts `sleep` and goes away without it; resolves to the pid it left. */
async function leaveProcess(options: {
  readonly environment: Record<string, string>;
  readonly cwd?: string;
}): Promise<number> {
  const script = `const child = require("node:child_process")
      .spawn("sleep", ["60"], { detached: true, stdio: "ignore" });
    child.unref();
    console.log(child.pid);`;
  const { stdout } = await execa(process.execPath, ["-e", script], {
    env: { PATH: process.env["PATH"] ?? "", ...options.environment },
    extendEnv: false,
    cwd: options.cwd ?? tmpdir(),
    timeout: 10_000,
  });
  return Number(stdout);
}

test("a suite that leaves nothing has no leftovers", async () => {
  expect(await findCertain(await findTraces(scope))).toEqual([]);
});

test.runIf(process.platform === "linux")(
  "finds and ends a process with the suite's marker",
  async () => {
    const before = await findTraces(scope);
    const pid = await leaveProcess({ environment: { [suiteMarker]: scope.suiteId } });
    const left = await findCertain(before);
    expect(left).toEqual([expect.objectContaining({ kind: "process", pid, certain: true })]);
    endProcesses(left);
    expect(await findCertain(before, 10)).toEqual([]);
  },
);

test.runIf(process.platform === "linux")(
  "finds a process without our environment by the folder it works in",
  async () => {
    const before = await findTraces(scope);
    const pid = await leaveProcess({ environment: {}, cwd: scope.ownFolder });
    const left = await findCertain(before);
    expect(left).toEqual([expect.objectContaining({ kind: "process", pid, certain: true })]);
    endProcesses(left);
  },
);

test.runIf(process.platform === "linux")("leaves another suite's process alone", async () => {
  const before = await findTraces(scope);
  const other = { ...scope, suiteId: randomUUID() };
  const pid = await leaveProcess({ environment: { [suiteMarker]: other.suiteId } });
  expect(await findCertain(before)).toEqual([]);
  const theirs = await findCertain(before, 0, other);
  expect(theirs).toEqual([expect.objectContaining({ pid })]);
  endProcesses(theirs);
});

test("finds a folder, and not the one that was there before", async () => {
  await mkdir(join(scope.ownFolder, "tidybox-old"));
  const before = await findTraces(scope);
  const folder = join(scope.ownFolder, "tidybox-new");
  await mkdir(folder);
  // Cleanup that cannot look into a folder must not overlook it either.
  await chmod(folder, 0o000);
  const left = await findCertain(before);
  expect(left).toEqual([expect.objectContaining({ kind: "folder", description: folder })]);
  await chmod(folder, 0o700);
});

test("waits for what is just ending", async () => {
  const before = await findTraces(scope);
  const folder = join(scope.ownFolder, "tidybox-ending");
  await mkdir(folder);
  const looking = findCertain(before, 20);
  await rm(folder, { recursive: true });
  expect(await looking).toEqual([]);
});

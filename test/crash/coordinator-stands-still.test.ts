import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, inject, test } from "vitest";
import { makeProject } from "../support/bed.ts";
import { processesWith, serviceFolders, until } from "../support/observer.ts";
import { startVitest } from "../support/runner.ts";

/** Ends, and hands its sandbox back, while the coordinator stands still. */
const ENDING = `
import { existsSync, writeFileSync } from "node:fs";
import { test } from "@tidybox/vitest";
test("ends meanwhile", async ({ sandbox }) => {
  writeFileSync("ready.txt", sandbox.id);
  while (!existsSync("still.txt")) await new Promise((resolve) => setTimeout(resolve, 50));
}, 50_000);
`;
/** Its worker is another one, which takes its lease meanwhile. */
const STARTING = `
import { test } from "@tidybox/vitest";
test("starts meanwhile", async ({ sandbox }) => {
  await sandbox.exec(["true"], { check: true });
}, 50_000);
`;
/** More than a test's teardown may take, and than a lease's answer ever took. */
const STILL_SECONDS = 24;

describe.each(inject("beds"))("Vitest $version", (bed) => {
  test("a coordinator that stands still for a while, and the local service with it, fails no test", async () => {
    await using project = await makeProject(bed, {
      "a.test.ts": ENDING,
      "b.test.ts": STARTING,
    });
    const mark = `mark-still-${bed.version}-${project.temp}`;
    const run = startVitest(project, {
      env: { TIDYBOX_TEST_MARK: mark },
      args: ["--pool=threads", "--no-file-parallelism"],
      timeoutSeconds: 120,
    });
    const ready = () => existsSync(join(project.directory, "ready.txt"));
    await until(
      "a test under way",
      60,
      () => (ready() ? "ready" : run.output()),
      (answer) => answer === "ready",
    );
    const coordinator = processesWith(mark).find(({ command }) =>
      command.includes("tidybox-coordinator"),
    );
    if (coordinator === undefined) throw new Error("no coordinator");
    process.kill(coordinator.pid, "SIGSTOP");
    try {
      writeFileSync(join(project.directory, "still.txt"), "");
      await sleep(STILL_SECONDS * 1000);
    } finally {
      process.kill(coordinator.pid, "SIGCONT");
    }
    const end = await run.ended;
    expect(end.exitCode, end.output).toBe(0);
    expect(end.account).toMatch(/2 sandboxes: 2 stopped by tests, 0 left/);
    await until(
      "processes of the run",
      10,
      () => processesWith(mark),
      (left) => left.length === 0,
    );
    expect(serviceFolders(project)).toEqual([]);
  });
});

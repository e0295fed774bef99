import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, inject, test } from "vitest";
import { type Bed, type Project, makeProject } from "../support/bed.ts";
import { processesWith, serviceFolders, until } from "../support/observer.ts";
import { startVitest } from "../support/runner.ts";
import { startServe } from "../support/serve.ts";

/** Holds a sandbox while the coordinator is killed, goes on with it, and then wants another one. */
const HOLDING = `
import { existsSync, writeFileSync } from "node:fs";
import { test } from "@tidybox/vitest";
test("holds", async ({ sandbox }) => {
  writeFileSync("ready.txt", sandbox.id);
  while (!existsSync("go-on")) await new Promise((resolve) => setTimeout(resolve, 50));
  await sandbox.exec(["true"], { check: true });
}, 50_000);
test("comes late", async ({ sandbox }) => {
  await sandbox.exec(["true"], { check: true });
}, 50_000);
`;

/** Is in the middle of a command when the coordinator, and so the local service, is killed. */
const RUNNING = `
import { writeFileSync } from "node:fs";
import { test } from "@tidybox/vitest";
test("runs a command", async ({ sandbox }) => {
  writeFileSync("ready.txt", sandbox.id);
  try {
    await sandbox.exec(["sleep", "1000"]);
  } finally {
    writeFileSync("failed-at.txt", String(Date.now()));
  }
}, 50_000);
`;

async function startAndKillCoordinator(
  bed: Bed,
  project: Project,
  env: Readonly<Record<string, string>>,
) {
  const mark = `mark-coordinator-${bed.version}-${project.temp}`;
  const run = startVitest(project, { env: { ...env, TIDYBOX_TEST_MARK: mark } });
  const ready = () => readFile(`${project.directory}/ready.txt`, "utf8").catch(() => "");
  await until("a test under way", 60, ready, (text) => text !== "");
  const coordinator = processesWith(mark).find(({ command }) =>
    command.includes("tidybox-coordinator"),
  );
  if (coordinator === undefined) throw new Error("no coordinator");
  process.kill(coordinator.pid, "SIGKILL");
  return { run, killedAt: Date.now(), processes: () => processesWith(mark) };
}

describe.each(inject("beds"))("a coordinator killed in the middle, Vitest $version", (bed) => {
  test("remote backend: who holds a sandbox finishes, who wants one is told, nothing is left", async () => {
    await using service = await startServe(bed);
    await using project = await makeProject(bed, { "a.test.ts": HOLDING });
    const { run, processes } = await startAndKillCoordinator(bed, project, service.env);
    writeFileSync(join(project.directory, "go-on"), "");
    const goneOnAt = Date.now();
    const end = await run.ended;
    expect((Date.now() - goneOnAt) / 1000).toBeLessThan(30);
    const outcome = (name: string) => end.tests.find((each) => each.name === name);
    expect(outcome("holds")?.status, end.output).toBe("passed");
    expect(outcome("comes late")?.status).toBe("failed");
    expect(outcome("comes late")?.messages.join("\n")).toMatch(/coordinator .*(lost|reached)/i);
    expect(end.exitCode).not.toBe(0);
    expect(end.account).toMatch(
      /its coordinator was lost, and the account with it; \d+ reaped, 0 left/,
    );
    expect(await service.list()).toEqual([]);
    expect(readdirSync(join(project.temp, "state/tidybox/runs"))).toEqual([]);
    await until("processes of the run", 10, processes, (left) => left.length === 0);
  });

  test("local backend: the test's error says so at once, and nothing is left", async () => {
    await using project = await makeProject(bed, { "a.test.ts": RUNNING });
    const { run, killedAt, processes } = await startAndKillCoordinator(bed, project, {});
    const failedAt = join(project.directory, "failed-at.txt");
    await until(
      "the test's error",
      20,
      () => existsSync(failedAt),
      (there) => there,
    );
    expect((Number(readFileSync(failedAt, "utf8")) - killedAt) / 1000).toBeLessThan(8);
    const end = await run.ended;
    const messages = end.tests.flatMap((each) => each.messages).join("\n");
    expect(messages).toMatch(
      /its coordinator, does not answer any more, and its sandboxes have died with it/,
    );
    expect(end.exitCode).not.toBe(0);
    expect(end.account).toMatch(/its coordinator was lost.*; its sandboxes have died with it/);
    expect(serviceFolders(project)).toEqual([]);
    await until("processes of the run", 10, processes, (left) => left.length === 0);
  });
});

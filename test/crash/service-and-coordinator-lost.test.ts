import { readFile } from "node:fs/promises";
import { expect, inject, test } from "vitest";
import { makeProject } from "../support/bed.ts";
import { processesWith, serviceFolders, until } from "../support/observer.ts";
import { startVitest } from "../support/runner.ts";
import { startServe } from "../support/serve.ts";

const bed = inject("beds").at(-1);
if (bed === undefined) throw new Error("no bed");

const HOLDING = `
import { writeFileSync } from "node:fs";
import { test } from "@tidybox/vitest";
test("holds", async ({ sandbox }) => {
  writeFileSync("ready.txt", sandbox.id);
  await sandbox.exec(["sleep", "1000"]);
}, 6_000);
`;

async function underWay(mark: string, env: Readonly<Record<string, string>>) {
  const project = await makeProject(bed as NonNullable<typeof bed>, { "holds.test.ts": HOLDING });
  const run = startVitest(project, { env: { ...env, TIDYBOX_TEST_MARK: mark } });
  const ready = () => readFile(`${project.directory}/ready.txt`, "utf8").catch(() => "");
  await until("a test under way", 40, ready, (text) => text !== "");
  return { project, run };
}

test("a service that dies in the middle: the run never claims that nothing is left, and fails", async () => {
  await using service = await startServe(bed);
  const mark = `mark-service-lost-${process.pid}`;
  const started = await underWay(mark, service.env);
  await using project = started.project;
  const { run } = started;
  expect(processesWith(project.temp)).not.toEqual([]);
  process.kill(service.pid, "SIGKILL");
  const end = await run.ended;
  expect(end.exitCode, end.output).not.toBe(0);
  expect(end.account).not.toMatch(/ 0 left/);
  expect(end.output).toMatch(/not verified|left sb-/);
  expect(end.output).toMatch(/npx tidybox reap --run \w+/);
  for (const { pid } of processesWith(mark)) process.kill(pid, "SIGKILL");
});

test("a coordinator that is killed, with a remote backend: the runner reaps by tag and says so", async () => {
  await using service = await startServe(bed);
  const mark = `mark-coordinator-lost-${process.pid}`;
  const started = await underWay(mark, service.env);
  await using project = started.project;
  const { run } = started;
  const coordinator = processesWith(mark).find(({ command }) =>
    command.includes("tidybox-coordinator"),
  );
  expect(coordinator).toBeDefined();
  process.kill(coordinator?.pid ?? 0, "SIGKILL");
  const end = await run.ended;
  expect(end.exitCode, end.output).not.toBe(0);
  expect(end.output).toMatch(/coordinator was lost/);
  expect(await service.list()).toEqual([]);
  expect(serviceFolders(project)).toEqual([]);
  await until(
    "processes of the run",
    10,
    () => processesWith(mark),
    (left) => left.length === 0,
  );
});

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Project, configFile, makeProject } from "../support/bed.ts";
import { lastBed } from "../support/last-bed.ts";
import { processesWith, until } from "../support/observer.ts";
import { startVitest } from "../support/runner.ts";
import { startServe } from "../support/serve.ts";

const FILES = {
  "a.test.ts": `
import { writeFileSync } from "node:fs";
import { test } from "@tidybox/vitest";
test("comes and goes", async ({ sandbox }) => { await sandbox.exec(["true"]); });
test("holds", async ({ sandbox, createSandbox }) => {
  await createSandbox();
  writeFileSync("ready.txt", sandbox.id);
  await sandbox.exec(["sleep", "1000"]);
}, 15_000);
`,
  "vitest.config.ts": configFile('{ report: "out/account.json", tags: ["mine"] }'),
};

interface Report {
  readonly ending: string;
  readonly why: string;
  readonly tags: readonly string[];
  readonly account: Readonly<Record<string, unknown>> | null;
  readonly sandboxes: readonly { readonly test: string; readonly end: string }[];
}

const pathOf = ({ directory }: Project) => join(directory, "out/account.json");

async function reportOf(project: Project): Promise<Report> {
  return JSON.parse(await readFile(pathOf(project), "utf8")) as Report;
}

/** Kills the runner or its coordinator while a test holds two sandboxes. */
async function strike(
  project: Project,
  whom: "runner" | "coordinator",
  env: Readonly<Record<string, string>>,
) {
  const mark = `mark-report-${whom}-${project.temp}`;
  const run = startVitest(project, { env: { ...env, TIDYBOX_TEST_MARK: mark } });
  const ready = () => existsSync(join(project.directory, "ready.txt"));
  await until("a test under way", 60, ready, (there) => there);
  const coordinator = processesWith(mark).find(({ command }) =>
    command.includes("tidybox-coordinator"),
  );
  if (coordinator === undefined) throw new Error("no coordinator");
  process.kill(whom === "runner" ? run.pid : coordinator.pid, "SIGKILL");
  const end = await run.ended;
  await until(
    "processes of the run",
    30,
    () => processesWith(mark),
    (left) => left.length === 0,
  );
  return end;
}

const ofRunner = {
  ending: "runner-lost",
  why: "the runner was lost",
  tags: expect.arrayContaining(["tidybox", "mine"]) as unknown,
  account: { created: 3, stoppedByTests: 1, left: [], unverified: "" },
};

describe("the report", () => {
  test.each(["embedded", "served"])("of a runner that is killed adds up, %s", async (backend) => {
    await using service = await startServe(lastBed());
    await using project = await makeProject(lastBed(), FILES);
    await strike(project, "runner", backend === "served" ? service.env : {});
    const report = await reportOf(project);
    expect(report).toMatchObject(ofRunner);
    const ends = report.sandboxes.map((each) => `${each.test} ${each.end}`).toSorted();
    expect(ends).toEqual([
      "comes and goes stopped-by-test",
      "holds reaped-after-crash",
      "holds reaped-after-crash",
    ]);
    expect(report.account).toMatchObject({ reapedAfterCrash: 2 });
  });

  test("of a coordinator that is killed says what was still seen, and not more", async () => {
    await using service = await startServe(lastBed());
    await using project = await makeProject(lastBed(), FILES);
    const end = await strike(project, "coordinator", service.env);
    expect(end.account).toMatch(/its coordinator was lost.* 0 left {3}local$/);
    const report = await reportOf(project);
    expect(report).toMatchObject({
      ending: "coordinator-lost",
      why: expect.stringMatching(/^the coordinator was lost: /) as unknown,
      account: null,
      remnants: { moreReaped: 0, left: [], unverified: "" },
    });
    for (const each of report.sandboxes)
      expect(each).toMatchObject({ test: "holds", end: "reaped-at-end" });
  });

  test("of a coordinator that is killed together with its local service says that it knows nothing", async () => {
    await using project = await makeProject(lastBed(), FILES);
    await strike(project, "coordinator", {});
    expect(await reportOf(project)).toMatchObject({
      ending: "coordinator-lost",
      account: null,
      sandboxes: [],
    });
  });
});

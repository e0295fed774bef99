import { randomBytes } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Sandbox, removeCleanupHandlers } from "@tidybox/client";
import { describe, expect, test } from "vitest";
import { openGate } from "../chaos/gate.ts";
import { type Project, makeProject } from "../support/bed.ts";
import { lastBed } from "../support/last-bed.ts";
import { processesWith, tidybox, until } from "../support/observer.ts";
import { runVitest, startVitest } from "../support/runner.ts";
import { connectionTo, type Served, startServe } from "../support/serve.ts";

// The services of these tests take their sandboxes along.
removeCleanupHandlers();

const HOLDING = `
import { appendFileSync } from "node:fs";
import { test } from "@tidybox/vitest";
test("holds", async ({ sandbox, createSandbox }) => {
  await createSandbox();
  appendFileSync("ready.txt", sandbox.id + "\\n");
  await sandbox.exec(["sleep", "1000"]);
}, 100_000);
`;
const QUICK = `
import { test } from "@tidybox/vitest";
test("quick", async ({ sandbox }) => { await sandbox.exec(["sleep", "5"]); }, 30_000);
`;

const folderOf = ({ temp }: Project) => join(temp, "state/tidybox/runs");

function recordsOf(project: Project): readonly string[] {
  try {
    return readdirSync(folderOf(project)).filter((name) => name.endsWith(".json"));
  } catch {
    return [];
  }
}

const portOf = ({ baseUrl }: { readonly baseUrl: string }) => Number(new URL(baseUrl).port);

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A run whose processes are all killed at once: runner, workers and coordinator. */
async function loseRun(service: Pick<Served, "env">, project: Project): Promise<string> {
  const mark = `mark-lost-${randomBytes(6).toString("hex")}`;
  const run = startVitest(project, { env: { ...service.env, TIDYBOX_TEST_MARK: mark } });
  const ready = () => readFile(`${project.directory}/ready.txt`, "utf8").catch(() => "");
  await until("a test under way", 60, ready, (text) => text !== "");
  const [name = ""] = recordsOf(project);
  const ours = () => processesWith(mark);
  for (const { pid } of ours()) process.kill(pid, "SIGSTOP");
  for (const { pid } of ours()) process.kill(pid, "SIGKILL");
  await run.ended;
  await until("the run's processes", 10, ours, (left) => left.length === 0);
  return name.replace(/\.json$/, "");
}

async function reapLost(
  service: Pick<Served, "env">,
  project: Project,
  args: readonly string[] = [],
) {
  const env = { ...service.env, TMPDIR: project.temp, XDG_STATE_HOME: join(project.temp, "state") };
  const { code, stdout, stderr } = await tidybox(
    lastBed(),
    ["reap", "--lost", "--json", ...args],
    env,
  ).then(
    (output) => ({ code: 0, ...output }),
    (failed: { code: number; stdout: string; stderr: string }) => failed,
  );
  expect(stdout, stderr).not.toBe("");
  const document = JSON.parse(stdout) as {
    readonly reaped: readonly string[];
    readonly runs: readonly { readonly runId: string; readonly outcome: string }[];
  };
  return { code, ...document };
}

describe("everything but the service is killed at once", () => {
  test("reap --lost finishes the run, and touches neither another's sandboxes nor a live run", async () => {
    await using service = await startServe(lastBed());
    await using other = await startServe(lastBed());
    const connection = connectionTo(service);
    const bystander = await Sandbox.run({ tags: ["tidybox", "tidybox-run-x"], connection });
    await using project = await makeProject(lastBed(), { "a.test.ts": HOLDING });
    const runId = await loseRun(service, project);
    const record = readFileSync(join(folderOf(project), `${runId}.json`), "utf8");
    expect(record).not.toContain(service.env["CWSANDBOX_API_KEY"]);
    expect(JSON.parse(record)).toMatchObject({ runId, baseUrl: service.env["CWSANDBOX_BASE_URL"] });
    expect(await service.list()).toHaveLength(3);

    // The same run at another service: asked there, nothing is done, and it is said.
    const elsewhere = await reapLost(other, project);
    expect(elsewhere).toMatchObject({ code: 1, runs: [{ runId, outcome: "elsewhere" }] });
    const dry = await reapLost(service, project, ["--dry-run"]);
    expect(dry).toMatchObject({ code: 0, runs: [{ runId, outcome: "lost" }] });
    expect(dry.reaped).toHaveLength(2);
    expect(await service.list()).toHaveLength(3);

    const done = await reapLost(service, project);
    expect(done).toMatchObject({ code: 0, runs: [{ runId, outcome: "finished" }] });
    expect(done.reaped).toHaveLength(2);
    expect((await service.list()).map(({ id }) => id)).toEqual([bystander.id]);
    expect(readdirSync(folderOf(project))).toEqual([]);
    expect(await reapLost(service, project)).toMatchObject({ code: 0, runs: [] });
  });

  test("the next run on the machine finishes it, and leaves no record itself", async () => {
    await using service = await startServe(lastBed());
    await using project = await makeProject(lastBed(), { "a.test.ts": HOLDING });
    await loseRun(service, project);
    expect(await service.list()).toHaveLength(2);
    writeFileSync(join(folderOf(project), "hostile.json"), '{"runId": "hostile", "baseUrl');
    writeFileSync(join(project.directory, "a.test.ts"), QUICK);
    const end = await runVitest(project, { env: service.env });
    expect(end.exitCode, end.output).toBe(0);
    await until(
      "its sandboxes",
      5,
      () => service.list(),
      (left) => left.length === 0,
    );
    await until(
      "records",
      5,
      () => recordsOf(project),
      (left) => left.join() === "hostile.json",
    );
  });

  test("an address where nobody listens for a moment keeps the record", async () => {
    await using service = await startServe(lastBed());
    await using project = await makeProject(lastBed(), { "a.test.ts": HOLDING });
    const gate = await openGate(service.env["CWSANDBOX_BASE_URL"] ?? "");
    const through = { env: { ...service.env, CWSANDBOX_BASE_URL: gate.baseUrl } };
    const runId = await loseRun(through, project);
    await gate[Symbol.asyncDispose]();
    const inVain = await reapLost(through, project, ["--timeout", "4"]);
    expect(inVain).toMatchObject({ code: 1, reaped: [], runs: [{ runId, outcome: "left" }] });
    const dry = await reapLost(through, project, ["--dry-run"]);
    expect(dry).toMatchObject({ code: 0, runs: [{ runId, outcome: "lost" }] });
    expect(recordsOf(project)).toEqual([`${runId}.json`]);

    await using again = await openGate(service.env["CWSANDBOX_BASE_URL"] ?? "", portOf(gate));
    expect(again.baseUrl).toBe(gate.baseUrl);
    const done = await reapLost(through, project);
    expect(done).toMatchObject({ code: 0, runs: [{ runId, outcome: "finished" }] });
    expect(done.reaped).toHaveLength(2);
    expect(await service.list()).toEqual([]);
    expect(readdirSync(folderOf(project))).toEqual([]);
  });

  test("a local service that stands still keeps the record, and one that is gone for good does not", async () => {
    await using other = await startServe(lastBed());
    await using project = await makeProject(lastBed(), { "a.test.ts": HOLDING });
    await using service = await startServe(lastBed(), [], { TMPDIR: project.temp });
    const runId = await loseRun(service, project);
    process.kill(service.pid, "SIGSTOP");
    const still = await reapLost(other, project);
    expect(still).toMatchObject({ code: 1, runs: [{ runId, outcome: "elsewhere" }] });
    process.kill(service.pid, "SIGKILL");
    await until(
      "the end of the service",
      5,
      () => isThere(service.pid),
      (there) => !there,
    );
    const gone = await reapLost(other, project);
    expect(gone).toMatchObject({ code: 0, runs: [{ runId, outcome: "ended" }] });
    expect(readdirSync(folderOf(project))).toEqual([]);
  });

  test("what two finish at once is finished by one of them", async () => {
    await using service = await startServe(lastBed());
    await using project = await makeProject(lastBed(), { "a.test.ts": HOLDING });
    const runId = await loseRun(service, project);
    const both = await Promise.all([reapLost(service, project), reapLost(service, project)]);
    const outcomes = both.map(({ runs }) => runs[0]?.outcome ?? "none");
    expect(
      outcomes.filter((outcome) => outcome === "finished").length,
      outcomes.join(),
    ).toBeGreaterThan(0);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    expect(both.flatMap(({ reaped }) => reaped)).toHaveLength(2);
    expect(await service.list()).toEqual([]);
    expect(readdirSync(folderOf(project)), runId).toEqual([]);
  });

  test("a run that lives is left alone", async () => {
    await using service = await startServe(lastBed());
    await using project = await makeProject(lastBed(), { "a.test.ts": HOLDING });
    const run = startVitest(project, { env: service.env });
    const ready = () => readFile(`${project.directory}/ready.txt`, "utf8").catch(() => "");
    await until("a test under way", 60, ready, (text) => text !== "");
    expect(await reapLost(service, project)).toMatchObject({
      code: 0,
      reaped: [],
      runs: [{ outcome: "running" }],
    });
    expect(await service.list()).toHaveLength(2);
    run.signal("SIGINT", "group");
    await run.ended;
    await until(
      "its sandboxes",
      10,
      () => service.list(),
      (left) => left.length === 0,
    );
    await until(
      "its record",
      10,
      () => recordsOf(project),
      (left) => left.length === 0,
    );
  });
});

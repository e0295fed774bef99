import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, inject, onTestFinished, test } from "vitest";
import { configFile, makeProject } from "../support/bed.ts";
import { processesWith, until } from "../support/observer.ts";
import { runVitest, startVitest } from "../support/runner.ts";
import { startServe } from "../support/serve.ts";

const bed = inject("beds").at(-1);
if (bed === undefined) throw new Error("no bed");

interface Report {
  readonly account: Readonly<Record<string, number>> & {
    readonly kept: readonly unknown[];
    readonly left: readonly unknown[];
  };
  readonly sandboxes: readonly {
    readonly id: string;
    readonly test: string;
    readonly file: string;
    readonly worker: { readonly id: string; readonly pid: number };
    readonly askedAt: string;
    readonly createdAt: string;
    readonly endedAt: string | null;
    readonly end: string;
  }[];
}

async function reportOf(directory: string): Promise<Report> {
  return JSON.parse(await readFile(`${directory}/account.json`, "utf8")) as Report;
}

/** What an account counts, by how each sandbox ended. */
function sumOf({ account }: Report): number {
  const counts = [
    "stoppedByTests",
    "stoppedBySessions",
    "reapedAfterCrash",
    "reapedAtEnd",
    "endedByThemselves",
    "endedByLifetime",
    "stoppedElsewhere",
  ].map((name) => account[name] ?? Number.NaN);
  return counts.reduce((sum, count) => sum + count, account.kept.length + account.left.length);
}

const REPORTED = configFile(
  // What tests ask for, and no more: how the pool gives up is looked at where it is.
  '{ maxSandboxes: 6, warm: false, report: "account.json" }',
  "{ testTimeout: 60000 }",
);

test("answers of creates that are lost, and tests that give up meanwhile: the account is the service's own count", async () => {
  await using service = await startServe(bed, [
    ...[
      "--drop-answer",
      "create=0.4",
      "--latency",
      "create=10ms-300ms,start=0ms-300ms",
      "--seed",
      "7",
    ],
  ]);
  const file = `
    import { test } from "@tidybox/vitest";
    for (let index = 0; index < 12; index += 1)
      test("impatient " + index, async ({ sandbox }) => { await sandbox.exec(["true"]); }, 20 + index * 40);
    for (let index = 0; index < 12; index += 1)
      test("patient " + index, async ({ sandbox }) => { await sandbox.exec(["true"], { check: true }); });
  `;
  await using project = await makeProject(bed, {
    ...{ "a.test.ts": file, "b.test.ts": file, "vitest.config.ts": REPORTED },
  });
  const run = await runVitest(project, { env: service.env, args: ["--maxWorkers=2"] });
  const patient = run.tests.filter(({ name }) => name.startsWith("patient"));
  expect(
    patient.map(({ status }) => status),
    run.output,
  ).toEqual(Array(24).fill("passed"));
  expect(run.account, run.output).toMatch(/ 0 left/);
  const report = await reportOf(project.directory);
  expect(await service.list()).toEqual([]);
  const made = (await service.list(["--all"])).map(({ id }) => id);
  expect(new Set(report.sandboxes.map(({ id }) => id))).toEqual(new Set(made));
  expect(report.account["created"]).toBe(made.length);
  expect(sumOf(report)).toBe(made.length);
  expect(report.account["createsUnanswered"]).toBe(0);
  // They were followed while the run went on, and not left to its last reap.
  expect(report.account["reapedAtEnd"]).toBeLessThanOrEqual(2);
  // The rehearsal did rehearse: some tests gave up on what came to be all the same.
  expect(made.length).toBeGreaterThan(24);
});

test("whoever gives up in the moment of the answer leaves no sandbox that nobody has", async () => {
  await using project = await makeProject(bed, {
    "a.test.ts": `
      import { inject, test } from "vitest";
      import { Worker } from "@tidybox/fixtures";
      test("gives up at every moment", async () => {
        const worker = await Worker.open(inject("tidybox"));
        const owner = { testName: "any", testFile: "", testTimeoutSeconds: 0 };
        const acquire = (ownerId, signal) => worker.acquire({}, { ...owner, ownerId }, signal);
        const release = (sandboxes) => worker.release(sandboxes, { cause: "test", keep: false });
        const startedAt = performance.now();
        await release([await acquire("first")]);
        const usualMs = performance.now() - startedAt;
        for (let part = 0; part < 1.5; part += 0.02)
          await acquire("gives up " + part, AbortSignal.timeout(Math.ceil(part * usualMs))).then(
            (sandbox) => release([sandbox]),
            () => {},
          );
        const all = await Promise.all(["a", "b", "c", "d"].map((name) => acquire(name)));
        await release(all);
        await worker.close();
      });
    `,
    "vitest.config.ts": configFile(
      '{ maxSandboxes: 4, startTimeoutSeconds: 20, report: "account.json" }',
      "{ testTimeout: 100000 }",
    ),
  });
  const run = await runVitest(project);
  expect(run.exitCode, run.output).toBe(0);
  const report = await reportOf(project.directory);
  // Each was stopped when its asker gave up, and not when the worker ended.
  expect(report.account["stoppedByTests"]).toBe(report.account["created"]);
  expect(report.account["created"]).toBeGreaterThan(10);
});

test("a session's sandbox from a template comes through the same door", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tidybox-template-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const template = join(folder, "template.json");
  const containers = [{ name: "main", image: "python:3.11" }];
  await writeFile(template, JSON.stringify({ containers, tags: ["of-the-template"] }));
  await using service = await startServe(bed, ["--template", `made=${template}`]);
  await using project = await makeProject(bed, {
    "a.test.ts": `
      import { expect, test } from "@tidybox/vitest";
      test("uses one", async ({ session, run }) => {
        const sandbox = await session.sandboxFromTemplate("made", { tags: ["of-the-call"] });
        expect(sandbox.tags).toEqual(expect.arrayContaining([...run.tags, "of-the-call"]));
        await sandbox.exec(["true"], { check: true });
      });
    `,
    "vitest.config.ts": REPORTED,
  });
  const run = await runVitest(project, { env: service.env });
  expect(run.exitCode, run.output).toBe(0);
  expect(run.account).toMatch(/1 sandbox: 1 by sessions, 0 left/);
});

test("a create that is never answered is found by its tag at the end, and whose it was", async () => {
  await using service = await startServe(bed, ["--drop-answer", "create=1"]);
  await using project = await makeProject(bed, {
    "a.test.ts": `
      import { test } from "@tidybox/vitest";
      test("never answered", async ({ sandbox }) => {}, 3000);
    `,
    "vitest.config.ts": REPORTED,
  });
  const run = await runVitest(project, { env: service.env });
  expect(run.exitCode).toBe(1);
  expect(run.account, run.output).toMatch(/1 sandbox: 1 reaped at the end, 0 left/);
  const report = await reportOf(project.directory);
  const [made] = await service.list(["--all"]);
  expect(report.sandboxes).toMatchObject([
    { id: made?.id, test: "never answered", end: "reaped-at-end" },
  ]);
  expect(await service.list()).toEqual([]);
});

test("the sum is right after a worker's crash, and each sandbox is in the report with its end", async () => {
  await using service = await startServe(bed);
  await using project = await makeProject(bed, {
    "dies.test.ts": `
      import { test } from "@tidybox/vitest";
      test("dies", async ({ sandbox, createSandbox }) => {
        await Promise.all([createSandbox(), createSandbox()]);
        setTimeout(() => process.kill(process.pid, "SIGKILL"), 30);
        for (;;) await createSandbox();
      });
    `,
    "lives.test.ts": `
      import { expect, test } from "@tidybox/vitest";
      test("fine", async ({ sandbox, session }) => {
        await session.sandbox();
        await sandbox.exec(["sleep", "1"], { check: true });
      });
      test("ends by itself", async ({ createSandbox }) => {
        const sandbox = await createSandbox({ command: ["sleep", "0.2"] });
        await sandbox.wait();
      });
      test("lives too long", async ({ createSandbox }) => {
        const sandbox = await createSandbox({ maxLifetimeSeconds: 1 });
        await sandbox.wait();
      });
    `,
    "vitest.config.ts": REPORTED,
  });
  const run = await runVitest(project, {
    env: service.env,
    args: ["--pool=forks", "--maxWorkers=2"],
  });
  const report = await reportOf(project.directory);
  const made = (await service.list(["--all"])).map(({ id }) => id);
  expect(report.sandboxes.map(({ id }) => id).toSorted(), run.output).toEqual(made.toSorted());
  expect(sumOf(report)).toBe(made.length);
  const ends = (name: string) =>
    report.sandboxes.filter((each) => each.test === name).map(({ end }) => end);
  expect(ends("fine")).toEqual(["stopped-by-test"]);
  expect(ends("")).toEqual(["stopped-by-session"]);
  expect(ends("ends by itself")).toEqual(["ended-by-itself"]);
  expect(ends("lives too long")).toEqual(["ended-by-lifetime"]);
  expect(new Set(ends("dies"))).toEqual(new Set(["reaped-after-crash"]));
  expect(ends("dies").length).toBeGreaterThanOrEqual(3);
  expect(run.account).toMatch(/1 ended by itself, 1 ended by their lifetime, 0 left/);
  const [fine] = report.sandboxes.filter((each) => each.test === "fine");
  expect(fine).toMatchObject({ file: "lives.test.ts", worker: { pid: expect.any(Number) } });
  expect(Date.parse(fine?.endedAt ?? "")).toBeGreaterThan(Date.parse(fine?.createdAt ?? ""));
});

/** Outlives its runner, as Jest's workers do: another process with a worker's lease that asks on. */
const OUTLIVING = `
  import { appendFileSync } from "node:fs";
  import { Worker } from "@tidybox/fixtures";
  let text = "";
  for await (const chunk of process.stdin) text += chunk;
  const worker = await Worker.open(JSON.parse(text));
  const note = (line) => appendFileSync("asked.txt", line + "\\n");
  const owner = { testName: "outliving", testFile: "", testTimeoutSeconds: 0, ownerId: "x" };
  for (const end = Date.now() + 20_000; Date.now() < end; ) {
    await worker.acquire({}, owner).then(
      (sandbox) => { note("got " + sandbox.id); return worker.release([sandbox], { cause: "test", keep: false }); },
      (error) => note(error.code + " " + error.message.split("\\n")[0]),
    );
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
`;

const STARTS_IT = `
  import { spawn } from "node:child_process";
  import { existsSync, readFileSync } from "node:fs";
  import { inject } from "vitest";
  import { test } from "@tidybox/vitest";
  test("leaves a worker behind", async ({ sandbox }) => {
    const child = spawn(process.execPath, ["outliving.mjs"], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
    child.stdin.end(JSON.stringify(inject("tidybox")));
    child.unref();
    while (!existsSync("asked.txt")) await new Promise((resolve) => setTimeout(resolve, 50));
    BODY
  }, 60_000);
`;

test.each([
  ["ends in order", "", "its runner has finished"],
  [
    "is killed",
    'while (!existsSync("never")) await new Promise((resolve) => setTimeout(resolve, 50));',
    "the runner was lost",
  ],
])("a worker that outlives a runner that %s finds the door shut", async (how, body, reason) => {
  await using service = await startServe(bed, ["--latency", "start=50ms-400ms"]);
  await using project = await makeProject(bed, {
    "outliving.mjs": OUTLIVING,
    "a.test.ts": STARTS_IT.replace("BODY", body),
  });
  const mark = `mark-outlives-${process.pid}-${reason.length}`;
  const vitest = startVitest(project, { env: { ...service.env, TIDYBOX_TEST_MARK: mark } });
  try {
    const asked = () => readFile(`${project.directory}/asked.txt`, "utf8").catch(() => "");
    await until("the worker's first wish", 40, asked, (text) => text !== "");
    if (how === "is killed") vitest.signal("SIGKILL", "runner");
    const run = await vitest.ended;
    if (how !== "is killed") expect(run.account).toMatch(/ 0 left/);
    const { answer } = await until("a refusal", 15, asked, (text) => text.includes("run_over"));
    expect(answer).toContain(`the run is over (${reason}): no sandbox is made any more`);
    // It asks on, and for as long as it does the service has nothing of the run.
    const refused = (text: string) =>
      text.split("\n").filter((line) => line.startsWith("run_over"));
    await until(
      "an empty service",
      10,
      () => service.list(),
      (all) => all.length === 0,
    );
    const before = (await service.list(["--all"])).length;
    await until(
      "more wishes",
      15,
      asked,
      (text) => refused(text).length >= refused(answer).length + 20,
    );
    expect(await service.list()).toEqual([]);
    expect(await service.list(["--all"])).toHaveLength(before);
    const lines = (await asked()).trim().split("\n");
    const shut = lines.findIndex((line) => line.startsWith("run_over"));
    expect(lines.slice(shut).filter((line) => line.startsWith("got "))).toEqual([]);
  } finally {
    for (const { pid } of processesWith(mark)) process.kill(pid, "SIGKILL");
  }
});

test("a create that is under way when the run ends comes to nothing", async () => {
  await using service = await startServe(bed, [
    "--latency",
    "create=1500ms",
    "--drop-answer",
    "create=1x",
  ]);
  await using project = await makeProject(bed, {
    "a.test.ts": `
      import { test } from "@tidybox/vitest";
      test("does not wait for it", ({ createSandbox }) => { createSandbox().catch(() => {}); });
      test("nor does this one", ({ createSandbox }) => { createSandbox().catch(() => {}); });
    `,
    "vitest.config.ts": REPORTED,
  });
  const run = await runVitest(project, { env: service.env });
  expect(run.exitCode, run.output).toBe(0);
  expect(run.account).toMatch(/ 0 left/);
  expect(await service.list()).toEqual([]);
  const report = await reportOf(project.directory);
  const made = await service.list(["--all"]);
  expect(sumOf(report)).toBe(made.length);
  await new Promise((resolve) => setTimeout(resolve, 3000));
  expect(await service.list(["--all"])).toHaveLength(made.length);
});

import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Connection, Snapshot, removeCleanupHandlers } from "@tidybox/client";
import { describe, expect, test } from "vitest";
import { type Project, configFile, makeProject } from "../support/bed.ts";
import { lastBed } from "../support/last-bed.ts";
import { processesWith, tidybox, until } from "../support/observer.ts";
import { type RunEnd, runVitest, startVitest } from "../support/runner.ts";
import { connectionTo, startServe } from "../support/serve.ts";

// The services of these tests take their sandboxes along.
removeCleanupHandlers();

const PREPARE = `
import { appendFileSync } from "node:fs";
export default async (sandbox) => {
  appendFileSync("prepared.log", sandbox.id + "\\n");
  await sandbox.writeFile("/workspace/data.txt", "kept");
};
`;

const READS = `
import { expect, test } from "@tidybox/vitest";
test("reads it", async ({ sandbox }) => {
  expect(await sandbox.readTextFile("/workspace/data.txt")).toBe("kept");
});
`;

const KEPT = configFile('{ sandbox: { prepare: "prepare.ts", prepareKey: "v1" } }');
const UNKEPT = configFile('{ sandbox: { prepare: "prepare.ts" } }');

const projectWith = (config: string, files: Record<string, string> = {}): Promise<Project> =>
  makeProject(lastBed(), {
    "prepare.ts": PREPARE,
    "a.test.ts": READS,
    "vitest.config.ts": config,
    ...files,
  });

const timesPrepared = ({ directory }: Project): number => {
  const path = join(directory, "prepared.log");
  return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n").length : 0;
};

const idsOf = async (connection: Connection): Promise<readonly string[]> =>
  (await Snapshot.list({ connection }).toArray()).map(({ id }) => id);

function passed({ exitCode, output, account }: RunEnd): void {
  expect(exitCode, output).toBe(0);
  expect(account).toMatch(/ 0 left/);
}

describe("what is prepared with a key", () => {
  test("is kept, found by the next run, prepared anew for another key, and removed by reap --prepared", async () => {
    await using service = await startServe(lastBed());
    const connection = connectionTo(service);
    await using project = await projectWith(KEPT);
    const { env } = service;
    passed(await runVitest(project, { env }));
    passed(await runVitest(project, { env }));
    expect(timesPrepared(project)).toBe(1);
    const [first = ""] = await idsOf(connection);
    expect(await idsOf(connection)).toEqual([first]);
    // By its key, and not by what the module says now; from another folder as well.
    await using other = await projectWith(KEPT, { "prepare.ts": `${PREPARE}\n// changed` });
    passed(await runVitest(other, { env }));
    expect(timesPrepared(other)).toBe(0);
    writeFileSync(join(project.directory, "vitest.config.ts"), KEPT.replace("v1", "v2"));
    passed(await runVitest(project, { env }));
    expect(timesPrepared(project)).toBe(2);
    const both = await idsOf(connection);
    expect(both).toHaveLength(2);

    const reap = async (...args: string[]) =>
      JSON.parse(
        (await tidybox(lastBed(), ["reap", "--prepared", "--json", ...args], env)).stdout,
      ) as { readonly snapshots: { readonly removed: readonly string[] } };
    expect((await reap("--dry-run")).snapshots.removed).toEqual(both);
    expect((await reap("--older-than", "1h")).snapshots.removed).toEqual([]);
    expect(await idsOf(connection)).toEqual(both);
    expect((await reap()).snapshots.removed).toEqual(both);
    expect(await idsOf(connection)).toEqual([]);
    expect(await service.list()).toEqual([]);
  });

  test("is prepared anew where it is removed while a run uses it", async () => {
    await using service = await startServe(lastBed());
    await using project = await projectWith(KEPT, {
      "a.test.ts": `
        import { Snapshot } from "@tidybox/client";
        import { expect, test } from "@tidybox/vitest";
        test("first", async ({ sandbox }) => {
          expect(await sandbox.readTextFile("/workspace/data.txt")).toBe("kept");
          for (const each of await Snapshot.list().toArray()) await each.delete();
        });
        test("many", async ({ createSandbox }) => {
          for (const sandbox of await Promise.all([createSandbox(), createSandbox(), createSandbox()]))
            expect(await sandbox.readTextFile("/workspace/data.txt")).toBe("kept");
        }, 60000);
      `,
    });
    passed(await runVitest(project, { env: service.env }));
    expect(timesPrepared(project)).toBe(2);
  });

  test("by two runs at once is made by both, and one of them stays", async () => {
    await using service = await startServe(lastBed());
    const connection = connectionTo(service);
    const files = {
      "prepare.ts": `
        import { existsSync, writeFileSync } from "node:fs";
        import { setTimeout as sleep } from "node:timers/promises";
        export default async (sandbox) => {
          const folder = process.env.TIDYBOX_TEST_MEET;
          writeFileSync(folder + "/" + process.env.TIDYBOX_TEST_ME, "");
          await sandbox.writeFile("/workspace/data.txt", "kept");
          while (!["one", "two"].every((each) => existsSync(folder + "/" + each))) await sleep(20);
        };
      `,
    };
    await using one = await projectWith(KEPT, files);
    await using two = await projectWith(KEPT, files);
    const runs = await Promise.all(
      [one, two].map((project, index) =>
        runVitest(project, {
          env: {
            ...service.env,
            TIDYBOX_TEST_MEET: one.directory,
            TIDYBOX_TEST_ME: index === 0 ? "one" : "two",
          },
        }),
      ),
    );
    for (const run of runs) passed(run);
    expect(await idsOf(connection)).toHaveLength(1);
    expect(await service.list()).toEqual([]);
  });

  test("is not kept by the run's own service, which says so", async () => {
    await using project = await projectWith(KEPT);
    const run = await runVitest(project);
    passed(run);
    expect(run.output).toMatch(/what prepare\.ts prepares is not kept \(prepareKey\)/);
    expect(run.output.match(/is not kept/g)).toHaveLength(1);
  });
});

describe("what is prepared without a key", () => {
  test("goes with its run", async () => {
    await using service = await startServe(lastBed());
    await using project = await projectWith(UNKEPT);
    passed(await runVitest(project, { env: service.env }));
    expect(timesPrepared(project)).toBe(1);
    expect(await idsOf(connectionTo(service))).toEqual([]);
    expect(await service.list()).toEqual([]);
  });

  const HOLDS = `
    import { writeFileSync } from "node:fs";
    import { test } from "@tidybox/vitest";
    test("holds", async ({ sandbox }) => { writeFileSync("ready.txt", ""); await sandbox.exec(["sleep", "1000"]); }, 100000);
  `;

  async function holding(project: Project, env: Readonly<Record<string, string>>, mark: string) {
    const run = startVitest(project, { env: { ...env, TIDYBOX_TEST_MARK: mark } });
    const isReady = () => existsSync(join(project.directory, "ready.txt"));
    await until("a test under way", 60, isReady, Boolean);
    return run;
  }

  test("goes with a run whose runner is killed", async () => {
    await using service = await startServe(lastBed());
    const connection = connectionTo(service);
    await using project = await projectWith(UNKEPT, { "a.test.ts": HOLDS });
    const run = await holding(project, service.env, `mark-prepared-lost-${process.pid}`);
    expect(await idsOf(connection)).toHaveLength(1);
    run.signal("SIGKILL", "group");
    await run.ended;
    const left = async () => [...(await idsOf(connection)), ...(await service.list())];
    await until("the run", 30, left, (all) => all.length === 0);
  });

  test("goes by reap --lost where all processes of its run are killed", async () => {
    await using service = await startServe(lastBed());
    const connection = connectionTo(service);
    await using project = await projectWith(UNKEPT, { "a.test.ts": HOLDS });
    const mark = `mark-prepared-all-lost-${process.pid}`;
    const run = await holding(project, service.env, mark);
    for (const { pid } of processesWith(mark)) process.kill(pid, "SIGSTOP");
    for (const { pid } of processesWith(mark)) process.kill(pid, "SIGKILL");
    await run.ended;
    const [id = ""] = await idsOf(connection);
    const state = join(project.temp, "state");
    expect(readdirSync(join(state, "tidybox/runs")).join()).toMatch(/\.json/);
    const env = { ...service.env, TMPDIR: project.temp, XDG_STATE_HOME: state };
    const { stdout } = await tidybox(lastBed(), ["reap", "--lost"], env);
    expect(stdout).toContain(`stopped snapshot ${id}`);
    expect(await idsOf(connection)).toEqual([]);
    expect(await service.list()).toEqual([]);
  });

  test("goes with a run whose coordinator is killed", async () => {
    await using service = await startServe(lastBed());
    const connection = connectionTo(service);
    await using project = await projectWith(UNKEPT, {
      "a.test.ts": HOLDS.replace('"sleep", "1000"', '"sleep", "3"'),
    });
    const mark = `mark-prepared-coordinator-${process.pid}`;
    const run = await holding(project, service.env, mark);
    expect(await idsOf(connection)).toHaveLength(1);
    const isCoordinator = ({ command }: { readonly command: string }) =>
      command.includes("tidybox-coordinator");
    const coordinator = processesWith(mark).find(isCoordinator);
    if (coordinator === undefined) throw new Error("no coordinator");
    process.kill(coordinator.pid, "SIGKILL");
    expect((await run.ended).account).toMatch(/its coordinator was lost.* 0 left/);
    expect(await idsOf(connection)).toEqual([]);
    expect(await service.list()).toEqual([]);
  });

  test("goes by reap --run as well", async () => {
    await using service = await startServe(lastBed());
    const connection = connectionTo(service);
    await using project = await projectWith(
      configFile('{ sandbox: { prepare: "prepare.ts" }, runId: "reaped-by-id" }'),
      { "a.test.ts": HOLDS },
    );
    const mark = `mark-prepared-by-id-${process.pid}`;
    const run = await holding(project, service.env, mark);
    for (const { pid } of processesWith(mark)) process.kill(pid, "SIGSTOP");
    for (const { pid } of processesWith(mark)) process.kill(pid, "SIGKILL");
    await run.ended;
    const [id = ""] = await idsOf(connection);
    const { stdout } = await tidybox(lastBed(), ["reap", "--run", "reaped-by-id"], service.env);
    expect(stdout).toContain(`deleted snapshot ${id}`);
    expect(await idsOf(connection)).toEqual([]);
  });

  test("fails the tests in the service's own words where no snapshot can be taken", async () => {
    await using service = await startServe(lastBed(), ["--fail", "snapshot=1000x:internal"]);
    await using project = await projectWith(UNKEPT);
    const run = await runVitest(project, { env: service.env });
    expect(run.exitCode).toBe(1);
    expect(run.tests[0]?.messages.join()).toMatch(
      /the preparation prepare\.ts ran, but its result could not be taken: .*snapshot/,
    );
    expect(run.account).toMatch(/ 0 left/);
    expect(timesPrepared(project)).toBe(1);
  });
});

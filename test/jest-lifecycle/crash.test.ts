import { readFile, stat, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { jestBed, jestConfig, makeJestProject, wantedJests } from "../support/jest-project.ts";
import type { JestProject } from "../support/jest-project.ts";
import { runJest, startJest } from "../support/jest-runner.ts";
import { listFromOutside, processesWith, until } from "../support/observer.ts";
import { handoverFiles, nothingLeft } from "./nothing-left.ts";

/** Notes where it runs, then stays until it is let go. */
const stays = (name: string): string => `
const { existsSync, writeFileSync } = require("node:fs");
test("${name}", async ({ sandbox, createSandbox }) => {
  const other = await createSandbox();
  writeFileSync("${name}.json", JSON.stringify({ pid: process.pid, ids: [sandbox.id, other.id] }));
  while (!existsSync("go-on")) await new Promise((resolve) => setTimeout(resolve, 50));
  await sandbox.exec(["true"], { check: true });
});
`;

interface Noted {
  readonly pid: number;
  readonly ids: readonly string[];
}

async function noted(project: JestProject, name: string): Promise<Noted> {
  const path = `${project.directory}/${name}.json`;
  const { answer } = await until(
    name,
    60,
    () => readFile(path, "utf8").catch(() => ""),
    (text) => text.endsWith("}"),
  );
  return JSON.parse(answer) as Noted;
}

const FORKS = jestConfig({ maxWorkers: 2, testEnvironmentOptions: { tidybox: { warm: false } } });

describe.each(wantedJests())("Jest %s", (version) => {
  test("a worker's SIGKILL ends its own sandboxes within 5 s and touches no other's", async () => {
    const bed = await jestBed(version);
    await using project = await makeJestProject(bed, {
      "doomed.test.js": stays("doomed"),
      "bystander.test.js": stays("bystander"),
      "jest.config.cjs": FORKS,
    });
    const jest = startJest(project);
    const doomed = await noted(project, "doomed");
    const bystander = await noted(project, "bystander");
    expect(bystander.pid).not.toBe(doomed.pid);
    process.kill(doomed.pid, "SIGKILL");
    const active = () =>
      listFromOutside(bed, [], { TMPDIR: project.temp }).then((all) =>
        all.filter(({ state }) => state === "running").map(({ id }) => id),
      );
    const { answer } = await until(
      "sandboxes of the worker",
      5,
      active,
      (ids) => !doomed.ids.some((id) => ids.includes(id)),
    );
    expect(answer).toEqual(expect.arrayContaining([...bystander.ids]));
    await writeFile(`${project.directory}/go-on`, "");
    const run = await jest.ended;
    expect(run.exitCode).toBe(1);
    expect(run.tests.map(({ name, status }) => [name, status])).toEqual([["bystander", "passed"]]);
    expect(run.fileProblems.join("\n")).toMatch(/SIGKILL/);
    expect(run.accounts[0], run.output).toMatch(
      / 4 sandboxes: 2 stopped by tests, 2 reaped after a crash, 0 left/,
    );
    await nothingLeft(project);
  });

  test.each(["SIGKILL", "SIGINT"] as const)(
    "the runner's %s: its workers die with it, and nothing is left",
    async (signal) => {
      await using project = await makeJestProject(await jestBed(version), {
        "one.test.js": stays("one"),
        "two.test.js": stays("two"),
        "after.test.js": `test("a later run", async ({ sandbox }) => {});`,
        "jest.config.cjs": FORKS,
      });
      const jest = startJest(project, { args: ["one", "two"] });
      const workers = [await noted(project, "one"), await noted(project, "two")];
      try {
        jest.signal(signal, "runner");
        await jest.ended;
        await until(
          "workers of the killed runner",
          5,
          () => processesWith(project.temp).map(({ pid }) => pid),
          (pids) => !workers.some(({ pid }) => pids.includes(pid)),
        );
      } finally {
        // They would wait for ever.
        await writeFile(`${project.directory}/go-on`, "");
      }
      // As root, the coordinator has given up the rights to remove it: the next run does.
      const isRoot = process.getuid?.() === 0;
      await nothingLeft(project, { exceptHandover: isRoot });
      const later = await runJest(project, { args: ["after"] });
      expect(later.exitCode, later.output).toBe(0);
      await nothingLeft(project);
    },
  );

  test("process.exit in a test: Jest tries four times, and no sandbox stays", async () => {
    await using project = await makeJestProject(await jestBed(version), {
      "exits.test.js": `
        test("exits", async ({ sandbox }) => {
          require("node:fs").appendFileSync("ids.txt", sandbox.id + "\\n");
          process.exit(3);
        });
      `,
      "other.test.js": `
        test("goes on", async ({ sandbox }) => { await sandbox.exec(["true"], { check: true }); });
      `,
      "jest.config.cjs": FORKS,
    });
    const run = await runJest(project);
    expect(run.exitCode, run.output).toBe(1);
    const ids = (await readFile(`${project.directory}/ids.txt`, "utf8")).trim().split("\n");
    expect(new Set(ids).size).toBe(4);
    expect(run.tests.map(({ status }) => status)).toEqual(["passed"]);
    expect(run.accounts[0], run.output).toMatch(
      / 5 sandboxes: 1 stopped by tests, 4 reaped after a crash, 0 left/,
    );
    await nothingLeft(project);
  });

  test("what workers read is this account's alone, and no secret is in a test's environment", async () => {
    await using project = await makeJestProject(await jestBed(version), {
      "one.test.js": `
        const { execFileSync } = require("node:child_process");
        const { existsSync, writeFileSync } = require("node:fs");
        test("one", async ({ sandbox }) => {
          writeFileSync("env.txt", execFileSync("env", { encoding: "utf8" }));
          writeFileSync("one.json", JSON.stringify({ pid: process.pid, ids: [sandbox.id] }));
          while (!existsSync("go-on")) await new Promise((resolve) => setTimeout(resolve, 50));
        });
      `,
      "two.test.js": `test("two", () => {});`,
      "jest.config.cjs": FORKS,
    });
    const jest = startJest(project);
    await noted(project, "one");
    const [path = "", ...more] = handoverFiles(project);
    expect(more).toEqual([]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const { info } = JSON.parse(await readFile(path, "utf8")) as {
      readonly info: { readonly coordinator: { readonly token: string } };
    };
    expect(info.coordinator.token.length).toBeGreaterThan(15);
    const env = await readFile(`${project.directory}/env.txt`, "utf8");
    expect(env).toContain(`TIDYBOX_RUN_FILE=${path}\n`);
    expect(env).not.toContain(info.coordinator.token);
    await writeFile(`${project.directory}/go-on`, "");
    const run = await jest.ended;
    expect(run.exitCode, run.output).toBe(0);
    expect(handoverFiles(project)).toEqual([]);
    await nothingLeft(project);
  });
});

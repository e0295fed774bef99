import { readFile, rm } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import {
  type JestProject,
  jestBed,
  jestConfig,
  makeJestProject,
  wantedJests,
} from "../support/jest-project.ts";
import { type JestEnd, runJest } from "../support/jest-runner.ts";
import { nothingLeft } from "./nothing-left.ts";

const FILES = ["a", "b", "c", "d", "e", "f"];

/** Each test notes its process or thread, the session's sandbox and its own. */
const suite = (name: string): string => `
const { appendFileSync } = require("node:fs");
const { threadId } = require("node:worker_threads");
let own;
beforeAll(async ({ session }) => { own = await session.sandbox(); });
test("${name}", async ({ sandbox, session, run }) => {
  await own.exec(["true"], { check: true });
  await new Promise((resolve) => setTimeout(resolve, 300));
  appendFileSync("notes.txt", JSON.stringify({
    worker: process.pid + ":" + threadId, sandbox: sandbox.id, run: run.id,
  }) + "\\n");
});
`;

const NOT_GRACEFUL = /exit gracefully|did not exit/;
const TRIES = 3;

/** Jest gives a worker 500 ms to go, which a busy machine may not: what stays open stays each time. */
async function untilGraceful(project: JestProject, args: readonly string[]): Promise<JestEnd> {
  for (let round = 1; ; round += 1) {
    await rm(`${project.directory}/notes.txt`, { force: true });
    const run = await runJest(project, { args });
    if (round === TRIES || !NOT_GRACEFUL.test(run.output)) return run;
  }
}

interface Note {
  readonly worker: string;
  readonly sandbox: string;
  readonly run: string;
}

interface AccountReport {
  readonly sandboxes: readonly { readonly worker: { readonly id: string } }[];
}

const WAYS = [
  { what: "forks", config: { maxWorkers: 2 }, args: [], workers: 2 },
  { what: "worker threads", config: { maxWorkers: 2, workerThreads: true }, args: [], workers: 2 },
  { what: "in band", config: {}, args: ["--runInBand"], workers: 1 },
  {
    what: "forks that are ended for their memory after each file",
    config: { maxWorkers: 2, workerIdleMemoryLimit: 1000 },
    args: [],
    workers: 6,
  },
];

describe.each(wantedJests())("Jest %s", (version) => {
  test.each(WAYS)("one session in each worker: $what", async ({ config, args, workers }) => {
    await using project = await makeJestProject(await jestBed(version), {
      ...Object.fromEntries(FILES.map((name) => [`${name}.test.js`, suite(name)])),
      "jest.config.cjs": jestConfig({
        ...config,
        testEnvironmentOptions: { tidybox: { report: "account.json", warm: false } },
      }),
    });
    const run = await untilGraceful(project, args);
    expect(run.exitCode, run.output).toBe(0);
    expect(run.output).not.toMatch(NOT_GRACEFUL);
    const read = (name: string): Promise<string> =>
      readFile(`${project.directory}/${name}`, "utf8");
    const notes = (await read("notes.txt"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Note);
    expect(new Set(notes.map(({ sandbox }) => sandbox)).size).toBe(6);
    expect(new Set(notes.map(({ run: id }) => id)).size).toBe(1);
    expect(new Set(notes.map(({ worker }) => worker)).size).toBe(workers);
    const { sandboxes } = JSON.parse(await read("account.json")) as AccountReport;
    expect(sandboxes).toHaveLength(12);
    expect(new Set(sandboxes.map(({ worker }) => worker.id)).size).toBe(workers);
    expect(run.accounts).toHaveLength(1);
    expect(run.accounts[0]).toMatch(
      workers === 6
        ? /12 sandboxes: 6 stopped by tests, (\d by sessions, )?\d reaped after a crash, 0 left/
        : /12 sandboxes: 6 stopped by tests, 6 by sessions, 0 left/,
    );
    await nothingLeft(project);
  });
});

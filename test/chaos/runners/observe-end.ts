import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Bed, type Project, makeProject } from "../../support/bed.ts";
import { processesWith, until } from "../../support/observer.ts";
import { vitest } from "../frameworks/vitest.ts";
import { type Launched, launch } from "../../support/launch.ts";
import { seconds } from "../strikes/strike.ts";
import type { BadEnd } from "./bad-ends.ts";

/** What a runner did at a bad end. Words and not numbers: they must be the same each time. */
export interface ObservedEnd {
  readonly exit: string;
  /** Fixture teardown and afterEach of each test. */
  readonly hooksOfA: string;
  readonly hooksOfB: string;
  readonly globalTeardown: string;
  /** Workers that outlive their runner. */
  readonly workers: string;
}

/** What a worker reports of a test's start has arrived: a report that fails ends some workers. */
const QUIET_SECONDS = 1;
/** From then on. That of `a` ends well before that of `b`, and both well after a look. */
const BODY_SECONDS = { a: 3, b: 6 } as const;
const HOOKS_FILE = "hooks.txt";
const START_SECONDS = 60;
const END_SECONDS = 60;

export async function observeEnd(bed: Bed, end: BadEnd, mark: string): Promise<ObservedEnd> {
  await using project = await makeProject(bed, files(end));
  const [program, ...args] = vitest.command(bed, project);
  const run = launch(project, {
    command: [program, ...args, ...(end.args ?? [])],
    surroundings: end.surroundings ?? "pipe",
    env: { TIDYBOX_TEST_MARK: mark },
  });
  try {
    const { answer } = await until(
      "both tests in their bodies",
      START_SECONDS,
      () => [bodyOf(project, "a"), bodyOf(project, "b")],
      (pids) => pids.every((pid) => pid !== undefined),
    );
    await seconds(QUIET_SECONDS);
    end.strike?.(run, answer[0] ?? 0);
    const { exitCode, signal } = await ended(run);
    await seconds(1);
    const soon = processesWith(mark).length;
    await seconds(BODY_SECONDS.b + 1);
    const late = processesWith(mark).length;
    const hooks = lines(project);
    return {
      exit: signal ?? String(exitCode),
      hooksOfA: hooksOf("a", hooks),
      hooksOfB: hooksOf("b", hooks),
      globalTeardown: hooks.includes("global teardown") ? "runs" : "no",
      workers: late > 0 ? "stay" : soon > 0 ? "until their body's end" : "gone",
    };
  } finally {
    for (const { pid } of processesWith(mark)) process.kill(pid, "SIGKILL");
  }
}

function hooksOf(test: string, hooks: readonly string[]): string {
  const ran = ["afterEach", "fixture"].filter((hook) => hooks.includes(`${hook} ${test}`));
  return ran.length === 0 ? "no" : ran.join(", ");
}

async function ended(run: Launched) {
  const late = setTimeout(() => process.kill(-run.pid, "SIGKILL"), END_SECONDS * 1000);
  try {
    return await run.ended;
  } finally {
    clearTimeout(late);
  }
}

function lines({ directory }: Project): readonly string[] {
  try {
    return readFileSync(join(directory, HOOKS_FILE), "utf8").split("\n");
  } catch {
    return [];
  }
}

/** The worker's pid. */
function bodyOf(project: Project, test: string): number | undefined {
  const line = lines(project).find((each) => each.startsWith(`body ${test} `));
  return line === undefined ? undefined : Number(line.split(" ")[2]);
}

function files({ inTest = "" }: BadEnd): Readonly<Record<string, string>> {
  return {
    "vitest.config.ts": `
import { defineConfig } from "vitest/config";
export default defineConfig({
  test: { pool: "forks", maxWorkers: 2, minWorkers: 1, globalSetup: ["./global.ts"], testTimeout: 20_000 },
});
`,
    "global.ts": `
import { note } from "./note.ts";
export default () => () => note("global teardown");
`,
    "note.ts": `
import { appendFileSync, readFileSync } from "node:fs";
export const note = (text) => appendFileSync(${JSON.stringify(HOOKS_FILE)}, text + "\\n");
export const noted = (text) => {
  try { return readFileSync(${JSON.stringify(HOOKS_FILE)}, "utf8").includes(text); } catch { return false; }
};
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
`,
    "a.test.ts": testFile(
      "a",
      `while (!noted("body b ")) await pause(20);\n  await pause(${QUIET_SECONDS * 1000});\n  ${inTest}`,
    ),
    "b.test.ts": testFile(
      "b",
      `while (!noted("body a ")) await pause(20);\n  await pause(${QUIET_SECONDS * 1000});`,
    ),
  };
}

function testFile(name: "a" | "b", body: string): string {
  return `
import { afterEach, test as base } from "vitest";
import { note, noted, pause } from "./note.ts";
const test = base.extend({
  thing: async ({}, use) => {
    await use("thing");
    note("fixture ${name}");
  },
});
afterEach(() => note("afterEach ${name}"));
test("${name}", async ({ thing }) => {
  note("body ${name} " + process.pid);
  ${body}
  await pause(${BODY_SECONDS[name] * 1000});
});
`;
}

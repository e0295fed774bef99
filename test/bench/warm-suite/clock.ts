import * as v from "valibot";
import type { VitestProject } from "../vitest-project.ts";

/** Of one test, in milliseconds since the epoch. */
export interface TestTimes {
  /** Before it asked for its sandbox. */
  readonly askedAt: number;
  /** When it had it, at the begin of its body. */
  readonly gotAt: number;
  /** At the end of its body. */
  readonly doneAt: number;
  /** By hand only: when its sandbox had ended. */
  readonly stoppedAt: number | undefined;
}

/** Of one test file: its tests one after the other, and when all was over. */
export interface FileTimes {
  readonly tests: readonly TestTimes[];
  readonly endedAt: number;
}

/** For the projects: a module of theirs that notes times, and leaves them in a file of each test file. */
export const CLOCK_JS = `
  import { writeFileSync } from "node:fs";
  import { join } from "node:path";
  import { fileURLToPath } from "node:url";
  const folder = fileURLToPath(new URL(".", import.meta.url));
  const tests = [];
  const now = () => performance.timeOrigin + performance.now();
  export const asked = () => tests.push({ askedAt: now() });
  export const got = () => (tests.at(-1).gotAt = now());
  export const done = () => (tests.at(-1).doneAt = now());
  export const stopped = () => (tests.at(-1).stoppedAt = now());
  export const leave = (file) =>
    writeFileSync(join(folder, file + ".times.json"), JSON.stringify({ tests, endedAt: now() }));
`;

const FileTimesSchema = v.object({
  tests: v.array(
    v.object({
      askedAt: v.number(),
      gotAt: v.number(),
      doneAt: v.number(),
      stoppedAt: v.optional(v.number()),
    }),
  ),
  endedAt: v.number(),
});

export async function timesOf(
  project: VitestProject,
  files: readonly string[],
): Promise<readonly FileTimes[]> {
  return Promise.all(
    files.map(async (file) => {
      const { tests, endedAt } = v.parse(
        FileTimesSchema,
        await project.readJson(`${file}.times.json`),
      );
      return {
        endedAt,
        tests: tests.map(({ stoppedAt, ...times }) => ({ ...times, stoppedAt })),
      };
    }),
  );
}

/** Milliseconds from the end of a test's body to the begin of the next test of its file. */
export function gapsOf(files: readonly FileTimes[]): readonly number[] {
  return files.flatMap(({ tests }) =>
    tests.slice(1).map(({ askedAt }, index) => askedAt - (tests[index]?.doneAt ?? Number.NaN)),
  );
}

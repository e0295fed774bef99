import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import type { Project } from "../support/bed.ts";
import { outsideEnvironment } from "../support/environment.ts";

export interface JestRun {
  readonly exitCode: number | undefined;
  readonly output: string;
  /** `name: status` of each test. */
  readonly tests: readonly string[];
  /** The line that begins with `tidybox  run`. */
  readonly account: string | undefined;
}

interface JsonReport {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

/** Runs all of the project's tests, as `npx jest` does. Ended after 100 s. */
export async function runJest(
  project: Project,
  env: Readonly<Record<string, string>> = {},
): Promise<JestRun> {
  const report = join(project.temp, "report.json");
  const { directory, node } = project.bed;
  const ended = await execa(
    node,
    [join(directory, "node_modules/jest/bin/jest.js"), "--json", `--outputFile=${report}`],
    {
      cwd: project.directory,
      env: outsideEnvironment({ CI: "1", NO_COLOR: "1", TMPDIR: project.temp, ...env }),
      extendEnv: false,
      reject: false,
      all: true,
      stdin: "ignore",
      timeout: 100_000,
    },
  );
  const { testResults } = await readReport(report);
  return {
    exitCode: ended.exitCode,
    output: ended.all,
    tests: testResults.flatMap(({ assertionResults }) =>
      assertionResults.map(({ fullName, status }) => `${fullName}: ${status}`),
    ),
    account: ended.all.split("\n").find((line) => line.startsWith("tidybox  run ")),
  };
}

async function readReport(path: string): Promise<JsonReport> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as JsonReport;
  } catch {
    // Jest ended before there was anything to report; its output says why.
    return { testResults: [] };
  }
}

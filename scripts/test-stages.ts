import { join } from "node:path";
import { buildAll } from "./build.ts";
import { checkAll } from "./check.ts";
import { runCommand, workspaceBinary } from "./command.ts";
import { findExamples, runExample } from "./examples.ts";
import { prepareMachine } from "./machine.ts";
import type { SuiteReport } from "./suite-report.ts";
import { failedReport, readReport, sumReports, vitestReporting } from "./suite-report.ts";

export interface StageContext {
  /** Where reports are written; must exist. */
  readonly reportFolder: string;
  /** For every process that runs tests. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

/** One part of `npm test`, for `--only` too. They run one after the other, in this order. */
export interface Stage {
  readonly name: string;
  /** Without a build nothing later can say anything useful. */
  readonly needsBuild: boolean;
  readonly run: (context: StageContext) => Promise<SuiteReport>;
}

const nothing: SuiteReport = { passed: 0, failed: 0, skipped: [], failures: [] };

export const stages: readonly Stage[] = [
  {
    name: "machine",
    needsBuild: false,
    run: async ({ signal }) => {
      await prepareMachine(signal);
      return nothing;
    },
  },
  {
    name: "build",
    needsBuild: false,
    run: async ({ signal }) =>
      (await buildAll({ signal })) ? nothing : failedReport("a package could not be built"),
  },
  {
    name: "check",
    needsBuild: true,
    run: async ({ signal }) => {
      const results = await checkAll(signal);
      const passed = results.filter((result) => result.ok).length;
      return { passed, failed: results.length - passed, skipped: [], failures: [] };
    },
  },
  {
    name: "unit",
    needsBuild: true,
    run: (context) => runVitest("unit", ["--project", "unit"], 1500, context),
  },
  {
    name: "conformance",
    needsBuild: true,
    run: (context) => runVitest("conformance", ["--project", "conformance"], 1800, context),
  },
  {
    name: "system",
    needsBuild: true,
    run: (context) =>
      runVitest(
        "system",
        ["--project", "system", "--exclude", "test/packaging/**", "--exclude", "test/chaos/**"],
        2400,
        context,
      ),
  },
  {
    name: "chaos",
    needsBuild: true,
    run: (context) =>
      runVitest(
        "chaos",
        ["--project", "system", "--maxConcurrency=2", "test/chaos"],
        1200,
        context,
      ),
  },
  { name: "examples", needsBuild: true, run: runExamples },
  {
    name: "packaging",
    needsBuild: true,
    run: (context) =>
      runVitest("packaging", ["--project", "system", "test/packaging"], 600, context),
  },
];

async function runVitest(
  name: string,
  args: readonly string[],
  timeoutSeconds: number,
  context: StageContext,
): Promise<SuiteReport> {
  const report = join(context.reportFolder, `${name}.json`);
  const ended = await runCommand(
    workspaceBinary("vitest"),
    ["run", ...args, ...vitestReporting(report)],
    {
      timeoutSeconds,
      passThrough: true,
      environment: context.environment,
      signal: context.signal,
    },
  );
  return readReport(report, ended);
}

async function runExamples(context: StageContext): Promise<SuiteReport> {
  const reports: SuiteReport[] = [];
  for (const example of await findExamples()) {
    const report = await runExample(example, context);
    const { name } = example.manifest;
    reports.push(
      report.problem === undefined ? report : { ...report, problem: `${name}: ${report.problem}` },
    );
  }
  return sumReports(reports);
}

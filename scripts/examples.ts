import { join } from "node:path";
import { runShell } from "./command.ts";
import type { SuiteReport } from "./suite-report.ts";
import { failedReport, readReport, sumReports, vitestReporting } from "./suite-report.ts";
import type { WorkspacePackage } from "./workspace.ts";
import { findPackages } from "./workspace.ts";

/** The example projects: folders of examples/ whose package.json has a `test` script. */
export async function findExamples(): Promise<readonly WorkspacePackage[]> {
  const projects = await findPackages("examples");
  return projects.filter((project) => project.manifest.scripts?.["test"] !== undefined);
}

export interface ExampleOptions {
  /** Where the framework writes its report; must exist. */
  readonly reportFolder: string;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
}

/**
 * Runs an example as its user would, with the output passed through: by each of its scripts
 * `test:<framework>`, or by `test` where it has none of those. What it counts comes from the
 * framework's own JSON report; a script of another kind counts as one test.
 */
export async function runExample(
  example: WorkspacePackage,
  options: ExampleOptions,
): Promise<SuiteReport> {
  const { scripts = {} } = example.manifest;
  const suites = Object.keys(scripts).filter((name) => name.startsWith("test:"));
  const reports: SuiteReport[] = [];
  for (const name of suites.length === 0 ? ["test"] : suites) {
    reports.push(await runSuite(example, name, options));
  }
  return sumReports(reports);
}

async function runSuite(
  { folder, manifest }: WorkspacePackage,
  name: string,
  options: ExampleOptions,
): Promise<SuiteReport> {
  const script = manifest.scripts?.[name] ?? "";
  const reportFile = join(
    options.reportFolder,
    `${manifest.name.replaceAll("/", "+")}-${name.replace(":", "-")}.json`,
  );
  const reporting = reportArguments(script, reportFile);
  const result = await runShell(`${script}${reporting ?? ""}`, {
    cwd: folder,
    timeoutSeconds: 600,
    passThrough: true,
    ...(options.environment === undefined ? {} : { environment: options.environment }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  if (reporting === undefined) {
    return result.ok
      ? { passed: 1, failed: 0, skipped: [], failures: [] }
      : failedReport(`${script}: ${result.problem}`);
  }
  return readReport(reportFile, result);
}

/** Only a script that ends in the framework's own command can take more arguments. */
function reportArguments(script: string, reportFile: string): string | undefined {
  const last = script.split(/&&|;|\|/).at(-1) ?? "";
  const shellWords = (args: readonly string[]): string =>
    args.map((argument) => ` ${JSON.stringify(argument)}`).join("");
  if (/\bvitest\b/.test(last)) return shellWords(vitestReporting(reportFile));
  if (/\bjest\b/.test(last)) return shellWords(["--json", `--outputFile=${reportFile}`]);
  return undefined;
}

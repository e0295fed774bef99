import { readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import type { CommandResult } from "./command.ts";
import { workspaceRoot } from "./workspace.ts";

export interface SkippedTest {
  readonly name: string;
  readonly reason?: string;
}

/** What a suite counts for in the last line of `npm test`. */
export interface SuiteReport {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly SkippedTest[];
  /** Each failed test with the first line of why: what scrolled by long ago is said again at the end. */
  readonly failures: readonly string[];
  /** Failures that no test stands for: a crash, a file that does not load, a missing report. */
  readonly problem?: string;
}

/** The part of the JSON report that Vitest and Jest share. */
interface JsonReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages?: readonly string[];
      readonly meta?: { readonly skipReason?: unknown };
    }[];
  }[];
}

/** Makes a Vitest command show its progress and write the report that {@link readReport} reads. */
export function vitestReporting(reportFile: string): readonly string[] {
  return [
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${reportFile}`,
    `--reporter=${join(import.meta.dirname, "skip-reasons.ts")}`,
  ];
}

/** A suite that never came to report. */
export function failedReport(problem: string): SuiteReport {
  return { passed: 0, failed: 1, skipped: [], failures: [], problem };
}

/** Several suites as one. */
export function sumReports(reports: readonly SuiteReport[]): SuiteReport {
  const problems = reports.map((report) => report.problem).filter((text) => text !== undefined);
  return {
    passed: reports.reduce((sum, report) => sum + report.passed, 0),
    failed: reports.reduce((sum, report) => sum + report.failed, 0),
    skipped: reports.flatMap((report) => report.skipped),
    failures: reports.flatMap((report) => report.failures),
    ...(problems.length === 0 ? {} : { problem: problems.join("; ") }),
  };
}

/**
 * Totals of a JSON report of Vitest or Jest, checked against how the command ended: a file that
 * failed as a whole (it does not load, a hook failed) is one failure more, and so is an exit
 * status that no failed test explains (an unhandled error, a crash while closing).
 */
export async function readReport(
  file: string,
  ended: Pick<CommandResult, "ok" | "problem">,
): Promise<SuiteReport> {
  let report: JsonReport;
  try {
    report = JSON.parse(await readFile(file, "utf8")) as JsonReport;
  } catch {
    return failedReport(
      ended.ok ? "no report was written" : `no report was written: ${ended.problem}`,
    );
  }
  const counted = countReport(report);
  if (ended.ok || counted.failed > 0) return counted;
  return {
    ...counted,
    failed: 1,
    problem: `${ended.problem} although no test failed (an unhandled error or a crash)`,
  };
}

function countReport(report: JsonReport): SuiteReport {
  let passed = 0;
  let failed = 0;
  const skipped: SkippedTest[] = [];
  const failures: string[] = [];
  const broken: string[] = [];
  for (const file of report.testResults) {
    const place = relative(workspaceRoot, file.name);
    let failedHere = 0;
    for (const test of file.assertionResults) {
      if (test.status === "passed") passed += 1;
      else if (test.status === "failed") {
        failedHere += 1;
        failures.push(describeFailed(`${place} > ${test.fullName}`, test.failureMessages));
      } else skipped.push(describeSkipped(`${place} > ${test.fullName}`, test.meta?.skipReason));
    }
    if (file.status === "failed" && failedHere === 0) {
      failedHere = 1;
      broken.push(place);
    }
    failed += failedHere;
  }
  return {
    passed,
    failed,
    skipped,
    failures,
    ...(broken.length === 0 ? {} : { problem: `failed as a whole: ${broken.join(", ")}` }),
  };
}

function describeSkipped(name: string, reason: unknown): SkippedTest {
  return typeof reason === "string" ? { name, reason } : { name };
}

function describeFailed(name: string, messages: readonly string[] = []): string {
  const [line = ""] = (messages[0] ?? "").split("\n");
  return line === "" ? name : `${name}: ${line}`;
}

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outsideEnvironment } from "./environment.ts";
import type { JestProject } from "./jest-project.ts";
import type { TestOutcome } from "./runner.ts";

export interface JestOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The whole group is killed after that; default 100 s. */
  readonly timeoutSeconds?: number;
  /** Written to a file by Jest; default true. Without it Jest's stdout is as a user sees it. */
  readonly report?: boolean;
}

export interface JestEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Both streams in the order of their arrival, without colours. */
  readonly output: string;
  readonly stdout: string;
  /** Empty where Jest could not write its report any more. */
  readonly tests: readonly TestOutcome[];
  /** What failed outside of tests, by file: `Test suite failed to run`. */
  readonly fileProblems: readonly string[];
  /** The lines that begin with `tidybox  run`. */
  readonly accounts: readonly string[];
}

/** A Jest under way, in a process group of its own as a shell would start it. */
export interface RunningJest {
  readonly pid: number;
  readonly ended: Promise<JestEnd>;
  output(): string;
  signal(signal: NodeJS.Signals, to: "runner" | "group"): void;
}

export function startJest(project: JestProject, options: JestOptions = {}): RunningJest {
  const folder = mkdtempSync(join(tmpdir(), "tidybox-report-"));
  const report = join(folder, "report.json");
  const wantsReport = options.report ?? true;
  const child = spawn(
    process.execPath,
    [
      join(project.bed.directory, "node_modules/jest/bin/jest.js"),
      ...(wantsReport ? ["--json", `--outputFile=${report}`] : []),
      ...(options.args ?? []),
    ],
    {
      cwd: project.directory,
      env: outsideEnvironment({
        ...{ CI: "1", NO_COLOR: "1", TMPDIR: project.temp },
        // Records of runs that are left on purpose are not this account's.
        XDG_STATE_HOME: join(project.temp, "state"),
        ...options.env,
      }),
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const { pid } = child;
  if (pid === undefined) throw new Error("Jest could not be started");
  let output = "";
  let stdout = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    stdout += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const late = setTimeout(() => killGroup(pid), (options.timeoutSeconds ?? 100) * 1000);
  const ended = new Promise<JestEnd>((resolve, reject) => {
    child.once("error", reject);
    // "exit" and not "close": a worker that outlives its runner keeps the pipes open.
    child.once("exit", (exitCode, signal) => {
      clearTimeout(late);
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
        const { tests, fileProblems } = readReport(report);
        rmSync(folder, { recursive: true, force: true });
        const accounts = output.split("\n").filter((line) => line.includes("tidybox  run "));
        resolve({ exitCode, signal, output, stdout, tests, fileProblems, accounts });
      }, 100);
    });
  });
  return {
    pid,
    ended,
    output: () => output,
    signal: (signal, to) => process.kill(to === "group" ? -pid : pid, signal),
  };
}

export function runJest(project: JestProject, options?: JestOptions): Promise<JestEnd> {
  return startJest(project, options).ended;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended in this moment.
  }
}

interface JsonReport {
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

function readReport(path: string): Pick<JestEnd, "tests" | "fileProblems"> {
  let report: JsonReport;
  try {
    report = JSON.parse(readFileSync(path, "utf8")) as JsonReport;
  } catch {
    return { tests: [], fileProblems: [] };
  }
  return {
    tests: report.testResults.flatMap(({ assertionResults }) =>
      assertionResults.map(({ fullName, status, failureMessages }) => ({
        name: fullName,
        status,
        messages: failureMessages,
      })),
    ),
    fileProblems: report.testResults
      .filter(({ assertionResults }) => assertionResults.length === 0)
      .map(({ message }) => message),
  };
}

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Project } from "./bed.ts";
import { outsideEnvironment } from "./environment.ts";

export interface RunOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The whole group is killed after that; default 90 s. */
  readonly timeoutSeconds?: number;
}

export interface TestOutcome {
  readonly name: string;
  readonly status: string;
  readonly messages: readonly string[];
}

export interface RunEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Both streams, without colours. */
  readonly output: string;
  /** Empty where the runner could not write its report any more. */
  readonly tests: readonly TestOutcome[];
  /** The line that begins with `tidybox  run`. */
  readonly account: string | undefined;
}

/** A Vitest under way, in a process group of its own as a shell would start it. */
export interface RunningVitest {
  readonly pid: number;
  readonly ended: Promise<RunEnd>;
  output(): string;
  signal(signal: NodeJS.Signals, to: "runner" | "group"): void;
}

export function startVitest(project: Project, options: RunOptions = {}): RunningVitest {
  const folder = mkdtempSync(join(tmpdir(), "tidybox-report-"));
  const report = join(folder, "report.json");
  const child = spawn(
    project.bed.node,
    [
      join(project.bed.directory, "node_modules/vitest/vitest.mjs"),
      "run",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${report}`,
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
  if (pid === undefined) throw new Error("Vitest could not be started");
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const late = setTimeout(() => killGroup(pid), (options.timeoutSeconds ?? 90) * 1000);
  const ended = new Promise<RunEnd>((resolve, reject) => {
    child.once("error", reject);
    // "exit" and not "close": a worker that outlives its runner keeps the pipes open.
    child.once("exit", (exitCode, signal) => {
      clearTimeout(late);
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
        const tests = readReport(report);
        rmSync(folder, { recursive: true, force: true });
        const account = output.split("\n").find((line) => line.includes("tidybox  run "));
        resolve({ exitCode, signal, output, tests, account });
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

export function runVitest(project: Project, options?: RunOptions): Promise<RunEnd> {
  return startVitest(project, options).ended;
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

function readReport(path: string): readonly TestOutcome[] {
  let report: JsonReport;
  try {
    report = JSON.parse(readFileSync(path, "utf8")) as JsonReport;
  } catch {
    return [];
  }
  return report.testResults.flatMap(({ assertionResults }) =>
    assertionResults.map(({ fullName, status, failureMessages }) => ({
      name: fullName.trim(),
      status,
      messages: failureMessages,
    })),
  );
}

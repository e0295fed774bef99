import { constants } from "node:os";
import {
  CommandTimeoutError,
  type ExecOptions,
  type ExecResult,
  type PartialExecResult,
  type Sandbox,
} from "@tidybox/client";
import type { Case, Problem } from "./problem.ts";
import type { Verdict } from "./verdict.ts";

const SHOWN_ERROR_CHARACTERS = 2000;

/**
 * Runs a command on one case. Whatever the program does ends in a verdict; an error thrown is one
 * of the sandbox, and says nothing about the program.
 */
export async function judge(
  sandbox: Sandbox,
  command: readonly string[],
  testCase: Case,
  problem: Problem,
  options: Pick<ExecOptions, "cwd" | "env">,
): Promise<Verdict> {
  const { timeLimitSeconds, outputLimitBytes } = problem;
  const result = await runToTheEnd(sandbox, command, {
    ...options,
    input: testCase.input,
    timeoutSeconds: timeLimitSeconds,
    // All output is read, so that the program is not held up; only this much of it is kept.
    maxOutputBytes: outputLimitBytes,
  });
  // First of all: who floods until the time is over has still flooded.
  if (result?.stdoutTruncated === true || result?.stderrTruncated === true) {
    const producedBytes = result.stdoutBytesProduced + result.stderrBytesProduced;
    return { kind: "output-limit", outputLimitBytes, producedBytes };
  }
  if (result === undefined || !hasEnded(result)) return { kind: "time-limit", timeLimitSeconds };
  if (result.exitCode !== 0) {
    const { exitCode, stderr } = result;
    const errors = stderr.slice(-SHOWN_ERROR_CHARACTERS);
    return { kind: "runtime-error", exitCode, signal: signalOf(exitCode), errors };
  }
  return normalized(result.stdout) === normalized(testCase.expected)
    ? { kind: "accepted" }
    : { kind: "wrong-answer", printed: result.stdout };
}

/** As far as the command came; undefined where the service timed it out and kept nothing. */
async function runToTheEnd(
  sandbox: Sandbox,
  command: readonly string[],
  options: ExecOptions,
): Promise<ExecResult | PartialExecResult | undefined> {
  try {
    return await sandbox.exec(command, options);
  } catch (error) {
    if (error instanceof CommandTimeoutError) return error.result;
    throw error;
  }
}

function hasEnded(result: ExecResult | PartialExecResult): result is ExecResult {
  return "exitCode" in result;
}

/** An exit code of 128 + n stands for signal n. */
function signalOf(exitCode: number): string | undefined {
  const names = Object.entries(constants.signals);
  return names.find(([, number]) => number === exitCode - 128)?.[0];
}

function normalized(output: string): string {
  return output.replace(/[^\S\n]+$/gm, "").trimEnd();
}

import { CommandTimeoutError } from "../errors/command-errors.ts";
import { FileError } from "../errors/sandbox-errors.ts";
import { showCommand } from "./command-line.ts";
import { printedShort } from "./printed-result.ts";
import type { PartialExecResult } from "./result.ts";

/** What is kept of a stream: its beginning, or its end. */
export interface KeptOutput {
  readonly producedBytes: number;
  readonly truncated: boolean;
  bytes(): Uint8Array;
  text(): string;
}

const SHOWN_CHARACTERS = 2000;

/** Starts the clock; what it answers tells how far the command has come. */
export function partialResult(
  command: readonly string[],
  { stdout, stderr }: { readonly stdout: KeptOutput; readonly stderr: KeptOutput },
): () => PartialExecResult {
  const startedAt = performance.now();
  return () =>
    printedShort({
      command: [...command],
      stdout: stdout.text(),
      stderr: stderr.text(),
      stdoutBytes: stdout.bytes(),
      stderrBytes: stderr.bytes(),
      stdoutTruncated: stdout.truncated,
      stderrTruncated: stderr.truncated,
      stdoutBytesProduced: stdout.producedBytes,
      stderrBytesProduced: stderr.producedBytes,
      durationSeconds: (performance.now() - startedAt) / 1000,
    });
}

export function timeoutError(
  sandboxId: string,
  timeoutSeconds: number,
  result: PartialExecResult,
): CommandTimeoutError {
  return new CommandTimeoutError({
    message: `Command timed out after ${timeoutSeconds} s in sandbox ${sandboxId}: ${showCommand(result.command)}${tailOf(result)}`,
    advice: "Raise timeoutSeconds if it needs longer; what it printed is in the error's result.",
    sandboxId,
    result,
  });
}

export function missedDirectoryError(
  sandboxId: string,
  command: readonly string[],
  cwd: string,
): FileError {
  return new FileError({
    message: `The working directory ${JSON.stringify(cwd)} (option cwd) cannot be entered in sandbox ${sandboxId}; ${showCommand(command)} was not run.`,
    advice: "Make the directory first, or correct cwd.",
    sandboxId,
    path: cwd,
  });
}

/** The last words of a command, for a message. */
export function tailOf({ stdout, stderr }: PartialExecResult): string {
  const shown = stderr.trim() === "" ? stdout.trimEnd() : stderr.trimEnd();
  if (shown === "") return "";
  return `\n${shown.length > SHOWN_CHARACTERS ? `…${shown.slice(-SHOWN_CHARACTERS)}` : shown}`;
}

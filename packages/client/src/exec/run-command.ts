import { DEFAULT_CALL_TIMEOUT_SECONDS } from "@tidybox/protocol";
import { Deadline } from "../connection/deadline.ts";
import { CommandFailedError } from "../errors/command-errors.ts";
import {
  checkCommand,
  checkContainer,
  checkNames,
  checkSeconds,
  checkText,
  checkEnvironment,
} from "../options/checks.ts";
import { invalidOption } from "../options/invalid-option.ts";
import type { SandboxHandle } from "../sandbox/handle.ts";
import { inDirectory, showCommand } from "./command-line.ts";
import { wholeInput } from "./input.ts";
import { CommandRecord } from "./observed-command.ts";
import type { ExecOptions } from "./options.ts";
import { OutputBuffer } from "./output-buffer.ts";
import { missedDirectoryError, partialResult, tailOf, timeoutError } from "./outcome.ts";
import { printedShort } from "./printed-result.ts";
import type { ExecResult } from "./result.ts";
import { runStream } from "./stream.ts";

const DEFAULT_MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/** A name that is passed over in silence is worst where it is `timeout`. */
const KNOWN_OPTIONS: Readonly<Record<keyof ExecOptions, true>> = {
  container: true,
  cwd: true,
  env: true,
  timeoutSeconds: true,
  check: true,
  input: true,
  signal: true,
  maxOutputBytes: true,
};

/** Runs a command and collects what it prints. Whoever observes the sandbox is told of it. */
export async function runCommand(
  handle: SandboxHandle,
  command: readonly string[],
  options: ExecOptions,
): Promise<ExecResult> {
  checkOptions(command, options);
  handle.throwIfUnusable();
  options.signal?.throwIfAborted();
  const { maxOutputBytes = DEFAULT_MAX_OUTPUT_BYTES } = options;
  const output = {
    stdout: new OutputBuffer(maxOutputBytes),
    stderr: new OutputBuffer(maxOutputBytes),
  };
  const record = new CommandRecord(command, options.cwd, partialResult(command, output));
  handle.noteCommand(record);
  try {
    const result = await collect(handle, record, output, options);
    record.result = result;
    if (options.check === true && result.exitCode !== 0) throw failedError(handle.id, result);
    return result;
  } catch (error) {
    if (record.result === undefined) record.error = error;
    throw error;
  }
}

interface Output {
  readonly stdout: OutputBuffer;
  readonly stderr: OutputBuffer;
}

async function collect(
  handle: SandboxHandle,
  { command, soFar }: CommandRecord,
  { stdout, stderr }: Output,
  options: ExecOptions,
): Promise<ExecResult> {
  const { timeoutSeconds = DEFAULT_CALL_TIMEOUT_SECONDS } = options;
  using deadline = new Deadline(timeoutSeconds, [options.signal, handle.closedSignal], () =>
    timeoutError(handle.id, timeoutSeconds, soFar()),
  );
  const { argv, missedDirectory } = inDirectory(command, options.cwd);
  const exitCode = await runStream(
    handle,
    {
      action: `run ${showCommand(command)}`,
      command: argv,
      container: options.container,
      env: options.env,
      input: options.input === undefined ? undefined : wholeInput(bytesOf(options.input)),
      signal: deadline.signal,
    },
    { stdout: (data) => stdout.write(data), stderr: (data) => stderr.write(data) },
  );
  if (options.cwd !== undefined && missedDirectory(exitCode, stderr.text())) {
    throw missedDirectoryError(handle.id, command, options.cwd);
  }
  return printedShort({ ...soFar(), exitCode });
}

function checkOptions(command: readonly string[], options: ExecOptions): void {
  const { cwd, env, timeoutSeconds, maxOutputBytes } = options;
  checkNames(options, KNOWN_OPTIONS, "exec()");
  checkCommand(command, "command");
  checkContainer(options);
  if (cwd !== undefined) checkText(cwd, "cwd");
  if (env !== undefined) checkEnvironment(env, "env");
  if (timeoutSeconds !== undefined) checkSeconds(timeoutSeconds, "timeoutSeconds");
  if (maxOutputBytes !== undefined && !(maxOutputBytes >= 0)) {
    throw invalidOption("maxOutputBytes", `must be 0 or more, not ${maxOutputBytes}`);
  }
}

function bytesOf(input: string | Uint8Array): Uint8Array {
  return typeof input === "string" ? new TextEncoder().encode(input) : input;
}

function failedError(sandboxId: string, result: ExecResult): CommandFailedError {
  return new CommandFailedError({
    message: `Command exited with ${result.exitCode} in sandbox ${sandboxId}: ${showCommand(result.command)}${tailOf(result)}`,
    sandboxId,
    result,
  });
}

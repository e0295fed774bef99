import { delimiter, dirname, join } from "node:path";
import { execa } from "execa";
import { workspaceRoot } from "./workspace.ts";

export interface CommandOptions {
  /** Default: the checkout's root. */
  readonly cwd?: string;
  /** Added to this process's environment; `undefined` takes a variable away. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly timeoutSeconds: number;
  /** `true`: the output goes straight to the terminal instead of into the result. Default false. */
  readonly passThrough?: boolean;
  /** Ends the command when aborted. */
  readonly signal?: AbortSignal;
}

export interface CommandResult {
  readonly ok: boolean;
  /** Why it is not ok, in a few words; empty when it is. */
  readonly problem: string;
  /** stdout and stderr, interleaved; empty with `passThrough`. */
  readonly output: string;
  /** stdout alone. */
  readonly stdout: string;
  readonly seconds: number;
}

/** A program of the workspace's own node_modules. */
export function workspaceBinary(name: string): string {
  return join(workspaceRoot, "node_modules", ".bin", name);
}

/**
 * Children run under the Node that runs this script. node_modules/.bin holds a `node` of its own
 * (the pinned one), which would win over the Node a CI matrix chose if it came first.
 */
function childPath(): string {
  return [
    dirname(process.execPath),
    join(workspaceRoot, "node_modules", ".bin"),
    process.env["PATH"] ?? "",
  ].join(delimiter);
}

/** Runs a program to its end; a failure is a result, never an exception. */
export async function runCommand(
  file: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  return run(file, args, options, false);
}

/** The same for one line of shell, such as a package.json script. */
export async function runShell(line: string, options: CommandOptions): Promise<CommandResult> {
  return run(line, [], options, true);
}

async function run(
  file: string,
  args: readonly string[],
  options: CommandOptions,
  shell: boolean,
): Promise<CommandResult> {
  const started = performance.now();
  const result = await execa(file, args, {
    cwd: options.cwd ?? workspaceRoot,
    env: { ...options.environment, PATH: childPath() },
    shell,
    stdin: "ignore",
    stdout: options.passThrough ? "inherit" : "pipe",
    stderr: options.passThrough ? "inherit" : "pipe",
    all: true,
    reject: false,
    timeout: options.timeoutSeconds * 1000,
    forceKillAfterDelay: 5000,
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
  });
  return {
    ok: !result.failed,
    problem: result.failed ? describeFailure(result, options.timeoutSeconds) : "",
    output: result.all ?? "",
    stdout: result.stdout ?? "",
    seconds: (performance.now() - started) / 1000,
  };
}

function describeFailure(
  result: {
    readonly timedOut: boolean;
    readonly isCanceled: boolean;
    readonly signal?: string | undefined;
    readonly exitCode?: number | undefined;
    readonly originalMessage?: string | undefined;
  },
  timeoutSeconds: number,
): string {
  if (result.timedOut) return `not done after ${timeoutSeconds} s`;
  if (result.isCanceled) return "interrupted";
  if (result.signal !== undefined) return `ended by ${result.signal}`;
  if (result.exitCode !== undefined) return `exit status ${result.exitCode}`;
  return result.originalMessage ?? "could not be started";
}

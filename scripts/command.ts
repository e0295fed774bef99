import { delimiter, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { type MachineProcess, listProcesses, withDescendants } from "./processes.ts";
import { workspaceRoot } from "./workspace.ts";

export interface CommandOptions {
  /** Default: the checkout's root. */
  readonly cwd?: string;
  /** Added to this process's environment; `undefined` takes a variable away. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly timeoutSeconds: number;
  /** `true`: the output goes straight to the terminal instead of into the result. Default false. */
  readonly passThrough?: boolean;
  /** Ends the command, with all that it started, when aborted. */
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
  if (options.signal?.aborted === true)
    return { ok: false, problem: "interrupted", output: "", stdout: "", seconds: 0 };
  const stream = options.passThrough ? "inherit" : "pipe";
  const child = execa(file, args, {
    cwd: options.cwd ?? workspaceRoot,
    env: { ...options.environment, PATH: childPath() },
    shell,
    stdin: "ignore",
    stdout: stream,
    stderr: stream,
    all: true,
    reject: false,
  });
  const timeout = AbortSignal.timeout(options.timeoutSeconds * 1000);
  const stop = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout]);
  let ending: Promise<void> | undefined;
  const end = (): void => {
    if (child.pid !== undefined) ending = endTree(child.pid);
  };
  stop.addEventListener("abort", end, { once: true });
  const result = await child;
  stop.removeEventListener("abort", end);
  await ending;

  const problem = (): string => {
    if (timeout.aborted && ending !== undefined)
      return `not done after ${options.timeoutSeconds} s`;
    if (ending !== undefined) return "interrupted";
    return describeFailure(result);
  };
  return {
    ok: !result.failed && ending === undefined,
    problem: result.failed || ending !== undefined ? problem() : "",
    output: result.all ?? "",
    stdout: result.stdout ?? "",
    seconds: (performance.now() - started) / 1000,
  };
}

/**
 * Ends a process and its descendants, at first politely and after 5 s by force. A signal to the
 * process alone would stop at a shell, which does not pass it on.
 */
async function endTree(root: number): Promise<void> {
  const deadline = performance.now() + 5000;
  const tree = await stoppedTree(root);
  let alive = tree;
  for (const { pid } of tree) sendSignal(pid, "SIGTERM");
  for (const { pid } of tree) sendSignal(pid, "SIGCONT");
  while (alive.length > 0 && performance.now() < deadline) {
    await sleep(100);
    const now = await listProcesses();
    alive = tree.filter((known) =>
      now.some(({ pid, startTime }) => pid === known.pid && startTime === known.startTime),
    );
  }
  for (const { pid } of alive) sendSignal(pid, "SIGKILL");
}

/**
 * A process and all its descendants, standing still: one that goes on could start another between the
 * look and the signal, which nobody would then know of.
 */
async function stoppedTree(root: number): Promise<readonly MachineProcess[]> {
  const stopped = new Set<number>();
  for (;;) {
    const tree = withDescendants(root, await listProcesses());
    const fresh = tree.filter(({ pid }) => !stopped.has(pid));
    if (fresh.length === 0) return tree;
    for (const { pid } of fresh) {
      sendSignal(pid, "SIGSTOP");
      stopped.add(pid);
    }
  }
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has just ended by itself, which is all that is wanted.
  }
}

function describeFailure(result: {
  readonly signal?: string | undefined;
  readonly exitCode?: number | undefined;
  readonly originalMessage?: string | undefined;
}): string {
  if (result.signal !== undefined) return `ended by ${result.signal}`;
  if (result.exitCode !== undefined) return `exit status ${result.exitCode}`;
  return result.originalMessage ?? "could not be started";
}

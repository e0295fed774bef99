import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import type { Project } from "./bed.ts";
import { outsideEnvironment } from "./environment.ts";

/**
 * What stands around the runner: nothing (a process group of its own, both streams into a pipe), a
 * shell that waits for it as a CI step's does, `| head`, or a terminal.
 */
export type Surroundings = "pipe" | "shell" | "head" | "terminal";

export interface LaunchOptions {
  readonly command: readonly [string, ...string[]];
  readonly surroundings: Surroundings;
  readonly env: Readonly<Record<string, string>>;
}

export interface LaunchEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Launched {
  /** Of what was started: the runner, or what stands around it. Leads its process group. */
  readonly pid: number;
  readonly ended: Promise<LaunchEnd>;
  isRunning(): boolean;
  output(): string;
  /** Types into the terminal. */
  type(text: string): void;
}

export function launch(
  project: Pick<Project, "directory" | "temp">,
  options: LaunchOptions,
): Launched {
  const [program, ...args] = surrounded(options);
  const child = spawn(program, args, {
    cwd: project.directory,
    env: outsideEnvironment({
      NO_COLOR: "1",
      TMPDIR: project.temp,
      // Where runs keep their records: the user's own are none of a test's business.
      XDG_STATE_HOME: join(project.temp, "state"),
      ...(options.surroundings === "terminal" ? { TERM: "xterm" } : { CI: "1" }),
      ...options.env,
    }),
    detached: true,
    stdio: [options.surroundings === "terminal" ? "pipe" : "ignore", "pipe", "pipe"],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program} could not be started`);
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stdin?.on("error", () => {});
  return {
    pid,
    ended: endOf(child),
    isRunning: () => child.exitCode === null && child.signalCode === null,
    output: () => output,
    type: (text) => child.stdin?.write(text),
  };
}

function surrounded({ command, surroundings }: LaunchOptions): readonly [string, ...string[]] {
  switch (surroundings) {
    case "pipe":
      return command;
    case "shell":
      return ["bash", "-c", '"$@"; exit $?', "step", ...command];
    case "head":
      return ["bash", "-c", '"$@" 2>&1 | head -n 2', "step", ...command];
    case "terminal":
      // Of util-linux. Its end is the terminal's: the kernel hangs up on the runner.
      return ["script", "-qec", command.map(quoted).join(" "), "/dev/null"];
  }
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** "exit" and not "close": a worker that outlives its runner keeps the pipes open. */
function endOf(child: ChildProcess): Promise<LaunchEnd> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (exitCode, signal) => {
      // What the pipes still hold is read first.
      setTimeout(() => {
        for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy();
        resolve({ exitCode, signal });
      }, 100);
    });
  });
}

/** Undefined where the run goes on after that. */
export async function endWithin(
  { ended }: Pick<Launched, "ended">,
  seconds: number,
): Promise<LaunchEnd | undefined> {
  let late: NodeJS.Timeout | undefined;
  const tooLate = new Promise<undefined>((resolve) => {
    late = setTimeout(() => resolve(undefined), seconds * 1000);
  });
  const end = await Promise.race([ended, tooLate]);
  clearTimeout(late);
  return end;
}

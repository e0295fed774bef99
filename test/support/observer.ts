import { execFile } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { Bed, Project } from "./bed.ts";
import { outsideEnvironment } from "./environment.ts";

/** A sandbox as `tidybox list --json` shows it. */
export interface ListedSandbox {
  readonly id: string;
  readonly state: string;
  readonly test?: string;
  readonly tags: readonly string[];
}

/** Asks the service itself, from outside, with the command that users have. */
export async function listFromOutside(
  bed: Pick<Bed, "directory">,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<readonly ListedSandbox[]> {
  const { stdout } = await tidybox(bed, ["list", "--json", ...args], env);
  return JSON.parse(stdout) as readonly ListedSandbox[];
}

/** The packed `tidybox` command. */
export function tidybox(
  bed: Pick<Bed, "directory">,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
) {
  const main = join(bed.directory, "node_modules/tidybox/dist/main.js");
  return promisify(execFile)(process.execPath, [main, ...args], {
    env: outsideEnvironment(env),
    timeout: 30_000,
  });
}

export interface ProcessInfo {
  readonly pid: number;
  readonly command: string;
}

/** Processes of the machine whose command line or environment holds the text. */
export function processesWith(text: string): readonly ProcessInfo[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => {
      const command = read(`/proc/${name}/cmdline`);
      const environ = read(`/proc/${name}/environ`);
      if (!command.includes(text) && !environ.includes(text)) return [];
      return [{ pid: Number(name), command: command.replaceAll("\0", " ").trim() }];
    });
}

/** The text must be no part of what stands in anybody else's: `mark-1` is a part of `mark-10`. */
export function killProcessesWith(text: string): void {
  for (const { pid } of processesWith(text)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended in this moment.
    }
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** What the project's runs have in their temporary folder now: the folders of local services. */
export function serviceFolders({ temp }: Pick<Project, "temp">): readonly string[] {
  return readdirSync(temp).filter((name) => name.startsWith("tidybox-"));
}

/** Asks again and again until the answer is what is wanted. @throws with the last answer. */
export async function until<T>(
  what: string,
  timeoutSeconds: number,
  ask: () => T | Promise<T>,
  wanted: (answer: T) => boolean,
): Promise<{ readonly answer: T; readonly seconds: number }> {
  const startedAt = performance.now();
  for (;;) {
    const answer = await ask();
    const seconds = (performance.now() - startedAt) / 1000;
    if (wanted(answer)) return { answer, seconds };
    if (seconds > timeoutSeconds) {
      throw new Error(
        `${what}: not within ${timeoutSeconds} s; the last answer was ${JSON.stringify(answer)}`,
      );
    }
    await sleep(50);
  }
}

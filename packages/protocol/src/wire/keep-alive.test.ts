import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { KEEP_ALIVE_COMMAND } from "./defaults.ts";

/** The real command under each shell of this machine; an image may have any of them as /bin/sh. */
const shells = ["/bin/sh", "/bin/dash", "/bin/bash", "/bin/busybox"].filter((path) =>
  existsSync(path),
);
const [, flag, script] = KEEP_ALIVE_COMMAND;

let child: ChildProcess | undefined;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "tidybox-keep-alive-"));
});

afterEach(() => {
  // The whole group, so that a failing test leaves no sleep behind.
  if (child?.pid !== undefined) {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
  child = undefined;
  rmSync(directory, { recursive: true, force: true });
});

interface Run {
  readonly pid: number;
  readonly ended: Promise<{ readonly status: unknown; readonly output: string }>;
}

function start(shell: string, searchPath: string): Run {
  const args = shell.endsWith("busybox") ? ["sh", flag, script] : [flag, script];
  const started = spawn(shell, args, {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: searchPath },
  });
  child = started;
  let output = "";
  started.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  started.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  if (started.pid === undefined) throw new Error(`${shell} did not start`);
  const ended = once(started, "close", { signal: AbortSignal.timeout(20_000) }).then(
    ([code, signal]: unknown[]) => ({ status: code ?? signal, output }),
  );
  // Looked at by the test in its own time.
  ended.catch(() => undefined);
  return { pid: started.pid, ended };
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return text === "" ? [] : text.split(" ").map(Number);
}

/** By then the trap is set. A child that is still the forked shell does not count. */
async function waitForSleep(pid: number): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (Date.now() < deadline) {
    const programs = childrenOf(pid).map((id) => readFileSync(`/proc/${id}/cmdline`, "utf8"));
    if (programs.includes("sleep\x0086400\x00")) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`the keep-alive shell ${pid} started no sleep`);
}

// The shell's children are read from /proc.
const elsewhere = process.platform !== "linux";

const signals = ["SIGTERM", "SIGINT"] as const;
const pairs = shells.flatMap((shell) => signals.map((signal) => ({ shell, signal })));

test.skipIf(elsewhere).for(pairs)(
  "exits 0, silent and without a stray sleep, on $signal under $shell",
  async ({ shell, signal }) => {
    const run = start(shell, "/usr/bin:/bin");
    await waitForSleep(run.pid);
    process.kill(run.pid, signal);
    // The output closes when nobody holds it any more: a stray sleep would, for a day.
    expect(await run.ended).toEqual({ status: 0, output: "" });
  },
);

test.skipIf(elsewhere).for(shells)(
  "exits 0 and silent when its whole group is ended under %s",
  async (shell) => {
    const run = start(shell, "/usr/bin:/bin");
    await waitForSleep(run.pid);
    process.kill(-run.pid, "SIGTERM");
    expect(await run.ended).toEqual({ status: 0, output: "" });
  },
);

test("ends with 127 instead of spinning where the image has no sleep", async () => {
  symlinkSync("/bin/true", join(directory, "true"));
  const run = start("/bin/sh", directory);
  expect((await run.ended).status).toBe(127);
});

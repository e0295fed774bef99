import { expect, test } from "vitest";
import { runCommand, runShell } from "./command.ts";
import { listProcesses } from "./processes.ts";

/** A process that says its pid and then sleeps behind a shell, and whether it is still there. */
const sleeper = `sleep 60 & echo $!; wait; true`;

/** A zombie, which only waits for its parent to notice, is dead. */
async function isAlive(pid: number): Promise<boolean> {
  const processes = await listProcesses();
  return processes.some((known) => known.pid === pid);
}

test("a command that takes too long is ended with all that it started", async () => {
  const result = await runShell(sleeper, { timeoutSeconds: 0.5 });
  expect(result).toMatchObject({ ok: false, problem: "not done after 0.5 s" });
  expect(Number(result.stdout)).toBeGreaterThan(1);
  expect(await isAlive(Number(result.stdout))).toBe(false);
});

test("an interrupted command is ended with all that it started", async () => {
  const interruption = new AbortController();
  const running = runShell(sleeper, { timeoutSeconds: 30, signal: interruption.signal });
  setTimeout(() => interruption.abort(), 200);
  const result = await running;
  expect(result).toMatchObject({ ok: false, problem: "interrupted" });
  expect(Number(result.stdout)).toBeGreaterThan(1);
  expect(await isAlive(Number(result.stdout))).toBe(false);
});

test("a command is not started for somebody who has been interrupted already", async () => {
  const result = await runShell("echo started", {
    timeoutSeconds: 30,
    signal: AbortSignal.abort(),
  });
  expect(result).toMatchObject({ ok: false, problem: "interrupted", output: "" });
});

test("what a command starts while it is being ended ends too", async () => {
  for (let round = 0; round < 10; round += 1) {
    const interruption = new AbortController();
    // A shell is about to start what would go on without it, and keep our end of its output open.
    const running = runShell("sleep 60; true", {
      timeoutSeconds: 20,
      signal: interruption.signal,
    });
    setTimeout(() => interruption.abort(), round);
    expect((await running).problem).toBe("interrupted");
  }
});

test("failures are results that say what happened", async () => {
  const options = { timeoutSeconds: 10 };
  expect(await runShell("echo broken >&2; exit 3", options)).toMatchObject({
    ok: false,
    problem: "exit status 3",
    output: "broken",
  });
  expect(await runShell("kill -KILL $$", options)).toMatchObject({ problem: "ended by SIGKILL" });
  expect(await runCommand("no-such-program", [], options)).toMatchObject({
    ok: false,
    problem: expect.stringContaining("ENOENT"),
  });
});

test("children run under this very Node", async () => {
  const { stdout } = await runShell("node -p process.execPath", { timeoutSeconds: 10 });
  expect(stdout).toBe(process.execPath);
});

import { afterAll, beforeAll, expect, test } from "vitest";
import { CommandFailedError, CommandTimeoutError } from "../errors/command-errors.ts";
import { SandboxClosedError } from "../errors/sandbox-errors.ts";
import { attachSandbox, closeHandle, observeCommands } from "../sandbox/attach.ts";
import type { ObservedCommand } from "./observed-command.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import { type TestService, startTestService } from "../testing/local-service.ts";

let service: TestService;
let sandbox: Sandbox;
beforeAll(async () => {
  service = await startTestService();
  sandbox = await Sandbox.run({ connection: service.connection });
});
afterAll(async () => service?.[Symbol.asyncDispose]());

test("tells both streams and the status apart; a failing command is no error", async () => {
  const result = await sandbox.exec(["sh", "-c", "printf out; printf err >&2; exit 3"]);
  expect(result).toMatchObject({
    command: ["sh", "-c", "printf out; printf err >&2; exit 3"],
    stdout: "out",
    stderr: "err",
    exitCode: 3,
    stdoutTruncated: false,
    stdoutBytesProduced: 3,
  });
});

test("gives words to the program as they are", async () => {
  const words = ["a b", "it's", '"', "$HOME", "*", "-n", "ü\n"];
  const { stdout } = await sandbox.exec(["printf", "%s|", ...words], { cwd: "/tmp" });
  expect(stdout).toBe(words.map((word) => `${word}|`).join(""));
});

test("refuses a variable that no process can have, in the words of the option", async () => {
  await expect(sandbox.exec(["true"], { env: { "A=B": "x" } })).rejects.toThrow(
    /^Option env has the name "A=B"/,
  );
  await expect(sandbox.spawn(["true"], { env: { "": "x" } })).rejects.toThrow(/^Option env/);
});

test("runs in a directory with any name, and says when there is none", async () => {
  const directory = '/tmp/it\'s a "dir" $x';
  await sandbox.exec(["mkdir", "-p", directory], { check: true });
  expect((await sandbox.exec(["pwd"], { cwd: directory })).stdout).toBe(`${directory}\n`);
  await expect(sandbox.exec(["touch", "ran"], { cwd: "/no/such" })).rejects.toMatchObject({
    code: "file_error",
    path: "/no/such",
    sandboxId: sandbox.id,
    message: expect.stringContaining("touch ran was not run") as unknown,
  });
  // A command may end with the same status, and gets its own result.
  const own = await sandbox.exec(["sh", "-c", "echo oops >&2; exit 125"], { cwd: "/tmp" });
  expect(own).toMatchObject({ exitCode: 125, stderr: "oops\n" });
});

test("sets variables for one command", async () => {
  expect((await sandbox.exec(["sh", "-c", 'echo "$V"'], { env: { V: "x y" } })).stdout).toBe(
    "x y\n",
  );
  expect((await sandbox.exec(["sh", "-c", 'echo "$V"'])).stdout).toBe("\n");
});

test("feeds input of many frames, empty input, and none", async () => {
  const input = "0123456789abcdef".repeat(40_000);
  expect((await sandbox.exec(["cat"], { input })).stdout).toBe(input);
  expect((await sandbox.exec(["cat"], { input: new Uint8Array() })).stdout).toBe("");
  expect((await sandbox.exec(["cat"])).stdout).toBe("");
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
  expect((await sandbox.exec(["cat"], { input: bytes })).stdoutBytes).toEqual(bytes);
});

test("input that nobody reads does not hang the command", async () => {
  const { exitCode } = await sandbox.exec(["sh", "-c", "exit 5"], {
    input: new Uint8Array(8_000_000),
  });
  expect(exitCode).toBe(5);
});

test("keeps no more than asked of each stream, and counts all of it", async () => {
  const result = await sandbox.exec(["sh", "-c", "head -c 300000 /dev/zero; printf err >&2"], {
    maxOutputBytes: 1000,
  });
  expect(result.stdoutBytes).toHaveLength(1000);
  expect(result).toMatchObject({
    stdoutBytesProduced: 300_000,
    stdoutTruncated: true,
    stderr: "err",
    stderrTruncated: false,
    exitCode: 0,
  });
});

test("a command that takes too long is an error with what it had printed", async () => {
  const exec = sandbox.exec(["sh", "-c", "echo before; sleep 60"], { timeoutSeconds: 1 });
  await expect(exec).rejects.toThrow(CommandTimeoutError);
  await expect(exec).rejects.toMatchObject({
    code: "command_timeout",
    sandboxId: sandbox.id,
    result: { stdout: "before\n" },
  });
});

test("check turns another status than 0 into an error", async () => {
  await expect(sandbox.exec(["true"], { check: true })).resolves.toMatchObject({ exitCode: 0 });
  const exec = sandbox.exec(["sh", "-c", "echo why >&2; exit 2"], { check: true });
  await expect(exec).rejects.toThrow(CommandFailedError);
  await expect(exec).rejects.toThrow(/exited with 2 in sandbox .*\nwhy/s);
  await expect(exec).rejects.toMatchObject({ result: { exitCode: 2 } });
});

test("rejects with the reason of the caller's signal", async () => {
  const reason = new Error("enough");
  await expect(sandbox.exec(["true"], { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  const giveUp = new AbortController();
  const exec = sandbox.exec(["sleep", "60"], { signal: giveUp.signal });
  giveUp.abort(reason);
  await expect(exec).rejects.toBe(reason);
});

test("refuses what is no command", async () => {
  await expect(sandbox.exec([])).rejects.toThrow(/Option command/);
  await expect(sandbox.exec(["echo", "a\0b"])).rejects.toThrow(/command\[1\].*NUL/);
  await expect(sandbox.exec(["true"], { timeoutSeconds: -1 })).rejects.toThrow(/timeoutSeconds/);
});

test("whoever observes is told of every command, and sees it end", async () => {
  const observed = attachSandbox(service.connection, sandbox.id);
  const seen: ObservedCommand[] = [];
  const stop = observeCommands(observed, (command) => seen.push(command));
  await observed.exec(["echo", "one"]);
  await observed.exec(["sh", "-c", "exit 1"], { check: true }).catch(() => {});
  const failure = await observed
    .exec(["sleep", "60"], { timeoutSeconds: 0.2 })
    .catch((error: unknown) => error);
  stop();
  await observed.exec(["echo", "unseen"]);
  expect(seen.map(({ command, result, error }) => [command[0], result?.exitCode, error])).toEqual([
    ["echo", 0, undefined],
    ["sh", 1, undefined],
    ["sleep", undefined, failure],
  ]);
});

test("a closed handle cancels what is under way and refuses the rest; the sandbox goes on", async () => {
  const handle = attachSandbox(service.connection, sandbox.id);
  const started = handle.exec(["sleep", "60"]);
  closeHandle(handle, "the test has ended");
  await expect(started).rejects.toThrow(SandboxClosedError);
  await expect(handle.exec(["true"])).rejects.toThrow(
    `Sandbox ${sandbox.id} is closed: the test has ended.`,
  );
  await expect(handle.readFile("/etc/hosts")).rejects.toThrow(SandboxClosedError);
  await expect(handle.writeFile("/tmp/a", "")).rejects.toThrow(SandboxClosedError);
  await expect(handle.status()).rejects.toThrow(SandboxClosedError);
  expect((await sandbox.exec(["true"])).exitCode).toBe(0);
});

test("a sandbox that is stopped under a command ends the command with its id", async () => {
  const short = await Sandbox.run({ connection: service.connection });
  await short.exec(["true"]);
  const exec = short.exec(["sleep", "60"]).then(
    ({ exitCode }) => `exit ${exitCode}`,
    (error: unknown) => error,
  );
  await short.stop({ gracefulShutdownSeconds: 0 });
  const outcome = await exec;
  if (typeof outcome === "string") expect(outcome).not.toBe("exit 0");
  else expect(outcome).toMatchObject({ sandboxId: short.id });
});

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CommandTimeoutError } from "../errors/command-errors.ts";
import { FileError, SandboxClosedError } from "../errors/sandbox-errors.ts";
import { observeCommands } from "../sandbox/attach.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import { type TestService, startTestService } from "../testing/local-service.ts";
import type { ObservedCommand } from "./observed-command.ts";

const MEBIBYTE = 1024 * 1024;

const pause = (milliseconds: number) => new Promise((go) => setTimeout(go, milliseconds));

describe.each(["bubblewrap", "process"] as const)("spawn with the engine %s", (engine) => {
  let service: TestService;
  let sandbox: Sandbox;
  beforeAll(async () => {
    service = await startTestService({ engine });
    sandbox = await Sandbox.run({ connection: service.connection });
  });
  afterAll(async () => service?.[Symbol.asyncDispose]());

  /** Processes with `MARK=mark` in their environment, as the sandbox itself sees them. */
  async function marked(mark: string): Promise<number> {
    const script = `grep -lzs '^MARK=${mark}$' /proc/[0-9]*/environ | wc -l`;
    return Number((await sandbox.exec(["sh", "-c", script], { check: true })).stdout);
  }

  async function untilGone(mark: string): Promise<void> {
    while ((await marked(mark)) > 0) await pause(20);
  }

  test("streams both outputs while the command runs, and tells its status", async () => {
    const script = 'echo first; echo oops >&2; read line; echo "got $line"; exit 3';
    await using process = await sandbox.spawn(["sh", "-c", script], { stdin: "pipe" });
    const lines = process.lines();
    expect(await lines.next()).toEqual({ done: false, value: "first" });
    await process.write("a word\n");
    expect(await lines.next()).toEqual({ done: false, value: "got a word" });
    expect(await lines.next()).toEqual({ done: true, value: undefined });
    expect(await process.text("stderr")).toBe("oops\n");
    expect(await process.exitCode).toBe(3);
  });

  test("is a pair of web streams: pipes in, and out byte for byte", async () => {
    await using process = await sandbox.spawn(["cat"], { stdin: "pipe" });
    const bytes = new Uint8Array(3 * MEBIBYTE).map((_, index) => index % 251);
    const source = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < bytes.length; at += 100_000) {
          controller.enqueue(bytes.subarray(at, at + 100_000));
        }
        controller.close();
      },
    });
    if (process.stdin === undefined) throw new Error("no stdin");
    const [, back] = await Promise.all([
      source.pipeTo(process.stdin as WritableStream<Uint8Array>),
      new Response(process.stdout as globalThis.ReadableStream<Uint8Array<ArrayBuffer>>).bytes(),
    ]);
    expect(Buffer.compare(back, bytes)).toBe(0);
    expect(await process.exitCode).toBe(0);
  });

  test("reads nothing without input, and refuses some", async () => {
    await using process = await sandbox.spawn(["cat"]);
    expect(process.stdin).toBeUndefined();
    await expect(process.write("x")).rejects.toThrow(/stdin: "pipe"/);
    await expect(process.end()).rejects.toThrow(/stdin: "pipe"/);
    expect(await process.exitCode).toBe(0);
  });

  test("input for a command that has ended is an error of its own", async () => {
    await using process = await sandbox.spawn(["true"], { stdin: "pipe" });
    expect(await process.exitCode).toBe(0);
    await expect(process.write("x")).rejects.toMatchObject({ code: "command_ended" });
    await expect(process.end()).resolves.toBeUndefined();
    const writer = process.stdin?.getWriter();
    await expect(writer?.closed).rejects.toMatchObject({ code: "command_ended" });
    await expect(writer?.write("x")).rejects.toMatchObject({ code: "command_ended" });
  });

  test("runs in a directory, and says when there is none", async () => {
    await using good = await sandbox.spawn(["sh", "-c", "pwd; echo no-d >&2; exit 125"], {
      cwd: "/tmp",
    });
    expect(await good.text()).toMatch(/\/?tmp\n$/);
    expect(await good.text("stderr")).toBe("no-d\n");
    expect(await good.exitCode).toBe(125);
    for (const tty of [false, true]) {
      await using bad = await sandbox.spawn(["touch", "ran"], { cwd: "/no/such", tty });
      await expect(bad.exitCode).rejects.toThrow(FileError);
      await expect(bad.exitCode).rejects.toMatchObject({ path: "/no/such" });
      await expect(bad.text(tty ? "stdout" : "stderr")).rejects.toThrow(FileError);
    }
  });

  test("kill ends all of the command's processes; what was printed can still be read", async () => {
    const mark = `kill-${engine}`;
    const process = await sandbox.spawn(["sh", "-c", "echo begun; sleep 600 & sleep 601; true"], {
      env: { MARK: mark },
    });
    while ((await marked(mark)) < 3) await pause(20);
    await process.kill();
    await process.kill();
    expect(await process.exitCode).toBe(137);
    expect(await process.text()).toBe("begun\n");
    await untilGone(mark);
  });

  test("leaving the block kills it", async () => {
    const mark = `block-${engine}`;
    {
      await using process = await sandbox.spawn(["sleep", "600"], { env: { MARK: mark } });
      expect(process.command).toEqual(["sleep", "600"]);
      while ((await marked(mark)) < 1) await pause(20);
    }
    await untilGone(mark);
  });

  test("a signal ends it with its reason, a timeout with what it had printed", async () => {
    const mark = `abort-${engine}`;
    const reason = new Error("enough");
    const enough = new AbortController();
    const command = ["sh", "-c", "echo begun; sleep 600; true"];
    const process = await sandbox.spawn(command, { env: { MARK: mark }, signal: enough.signal });
    const lines = process.lines();
    await lines.next();
    enough.abort(reason);
    await expect(process.exitCode).rejects.toBe(reason);
    await expect(lines.next()).rejects.toBe(reason);
    await untilGone(mark);

    const late = await sandbox.spawn(command, { env: { MARK: mark }, timeoutSeconds: 1 });
    await expect(late.exitCode).rejects.toThrow(CommandTimeoutError);
    await expect(late.exitCode).rejects.toMatchObject({ result: { stdout: "begun\n" } });
    const reader = late.stdout.getReader();
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe("begun\n");
    await expect(reader.read()).rejects.toThrow(CommandTimeoutError);
    await untilGone(mark);
    await expect(sandbox.spawn(["true"], { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
  });

  test("a slow reader slows the command, and nobody keeps what it has not read", async () => {
    const total = 256 * MEBIBYTE;
    const warmUp = await sandbox.spawn(["head", "-c", String(32 * MEBIBYTE), "/dev/zero"]);
    for await (const _ of warmUp.stdout);
    let observed: ObservedCommand | undefined;
    const stop = observeCommands(sandbox, (command) => (observed = command));
    await using slow = await sandbox.spawn(["head", "-c", String(total), "/dev/zero"]);
    stop();
    const arrived = (): number => observed?.soFar().stdoutBytesProduced ?? 0;
    const before = { client: process.memoryUsage().rss, service: residentBytes(service.pid) };
    const most = { ...before };
    let bytes = 0;
    let nextPause = 0;
    for await (const data of slow.stdout) {
      if (bytes >= nextPause) {
        nextPause += total / 16;
        await pause(bytes === 0 ? 500 : 50);
        expect(arrived() - bytes).toBeLessThan(MEBIBYTE);
        most.client = Math.max(most.client, process.memoryUsage().rss);
        most.service = Math.max(most.service, residentBytes(service.pid));
      }
      bytes += data.byteLength;
    }
    expect(bytes).toBe(total);
    expect(await slow.exitCode).toBe(0);
    expect(most.client - before.client).toBeLessThan(128 * MEBIBYTE);
    expect(most.service - before.service).toBeLessThan(128 * MEBIBYTE);
  }, 60_000);

  test("writing waits for a command that does not read, and loses nothing", async () => {
    const script = "while test ! -e go-on; do sleep 0.05; done; sha256sum";
    await using reader = await sandbox.spawn(["sh", "-c", script], { stdin: "pipe" });
    const bytes = new Uint8Array(32 * MEBIBYTE).map((_, index) => index % 251);
    const before = residentBytes(service.pid);
    const written = reader.end(bytes);
    expect(
      await Promise.race([written.then(() => "written"), pause(500).then(() => "waits")]),
    ).toBe("waits");
    expect(residentBytes(service.pid) - before).toBeLessThan(24 * MEBIBYTE);
    await sandbox.exec(["touch", "go-on"], { check: true });
    await written;
    expect(await reader.text()).toContain(createHash("sha256").update(bytes).digest("hex"));
  });

  test("what is ignored is in nobody's way", async () => {
    const script = "head -c 64000000 /dev/zero; echo err >&2";
    await using loud = await sandbox.spawn(["sh", "-c", script], { stdout: "ignore" });
    expect(await loud.text("stderr")).toBe("err\n");
    expect(await loud.text()).toBe("");
    expect(await loud.exitCode).toBe(0);
  });

  test("a few unread lines of one stream do not hold up the other one", async () => {
    const script = "head -c 100000 /dev/zero >&2; head -c 5000000 /dev/zero";
    await using process = await sandbox.spawn(["sh", "-c", script]);
    expect(await process.text()).toHaveLength(5_000_000);
    expect(await process.exitCode).toBe(0);
    expect(await process.text("stderr")).toHaveLength(100_000);
  });

  test("a reader that leaves ignores the rest, and the command goes on", async () => {
    await using process = await sandbox.spawn(["sh", "-c", "yes line | head -n 3000000; exit 4"]);
    for await (const line of process.lines()) {
      expect(line).toBe("line");
      break;
    }
    expect(await process.exitCode).toBe(4);
  });

  test("whoever observes sees it, with no more than the end of what it printed", async () => {
    const seen: ObservedCommand[] = [];
    const stop = observeCommands(sandbox, (command) => seen.push(command));
    await using process = await sandbox.spawn(
      ["sh", "-c", "head -c 1000000 /dev/zero; printf ünd"],
      {
        stdout: "ignore",
      },
    );
    await process.exitCode;
    const killed = await sandbox.spawn(["sleep", "600"]);
    await killed.kill();
    stop();
    expect(seen.map(({ command, result }) => [command[0], result?.exitCode])).toEqual([
      ["sh", 0],
      ["sleep", 137],
    ]);
    const [first] = seen;
    expect(first?.result).toMatchObject({ stdoutBytesProduced: 1_000_004, stdoutTruncated: true });
    expect(first?.result?.stdoutBytes).toHaveLength(64 * 1024);
    expect(first?.result?.stdout.endsWith("\0ünd")).toBe(true);
  });

  test("a terminal: one stream, resizable, interrupted by Ctrl+C", async () => {
    const script =
      "stty size; trap 'stty size >&2' WINCH; echo ready; while :; do sleep 0.05; done";
    await using process = await sandbox.spawn(["sh", "-c", script], {
      tty: { columns: 100, rows: 30 },
      stdin: "pipe",
    });
    const lines = process.lines();
    expect((await lines.next()).value).toBe("30 100");
    expect((await lines.next()).value).toBe("ready");
    process.resize({ columns: 120, rows: 40 });
    expect((await lines.next()).value).toBe("40 120");
    expect(() => process.resize({ columns: 0, rows: 40 })).toThrow(/columns/);
    await process.write("\u0003");
    expect(await process.exitCode).toBe(130);
    expect(await process.text("stderr")).toBe("");
    await using plain = await sandbox.spawn(["true"]);
    expect(() => plain.resize({ columns: 1, rows: 1 })).toThrow(/tty/);
  });

  test("refuses what is no option", async () => {
    await expect(sandbox.spawn([])).rejects.toThrow(/Option command/);
    await expect(sandbox.spawn(["true"], { tty: { columns: 80, rows: 0 } })).rejects.toThrow(
      /rows/,
    );
    const wrong = { input: "x" } as object;
    await expect(sandbox.spawn(["true"], wrong)).rejects.toThrow(/input.*not an option of spawn/);
    const inherit = { stdout: "inherit" } as unknown as { stdout: "pipe" };
    await expect(sandbox.spawn(["true"], inherit)).rejects.toThrow(/"pipe" or "ignore"/);
  });

  test("ends with its sandbox", async () => {
    const short = await Sandbox.run({ connection: service.connection });
    const process = await short.spawn(["sleep", "600"]);
    await short.stop({ gracefulShutdownSeconds: 0 });
    const outcome = await process.exitCode.catch((error: unknown) => error);
    // Which one, depends on how far it had come into the sandbox.
    if (typeof outcome === "number") expect(outcome).not.toBe(0);
    else expect(outcome).toBeInstanceOf(SandboxClosedError);
    await expect(short.spawn(["true"])).rejects.toThrow(SandboxClosedError);
  });
});

function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

import { afterAll, beforeAll, expect, test } from "vitest";
import { closeHandle } from "../sandbox/attach.ts";
import { ConfigurationError } from "../errors/request-errors.ts";
import { SandboxClosedError, SandboxFailedError } from "../errors/sandbox-errors.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import { startTestService, type TestService } from "../testing/local-service.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service[Symbol.asyncDispose]());

const run = (script: string) =>
  Sandbox.run(["sh", "-c", script], { connection: service.connection });

/** Follows until the text is there: from then on, it is in the log. */
async function seen(sandbox: Sandbox, text: string): Promise<void> {
  let all = "";
  for await (const line of sandbox.logs({ follow: true })) {
    all += `${line}\n`;
    if (all.includes(text)) return;
  }
}

test("has the lines, the bytes and the text of what the main process prints", async () => {
  await using sandbox = await run("printf 'grün\\n\\nlast\\n'; echo ready; sleep 600");
  await seen(sandbox, "ready");
  await sandbox.exec(["echo", "of a command"]);
  const logs = sandbox.logs();
  const lines: string[] = [];
  for await (const line of logs) lines.push(line);
  expect(lines).toEqual(["grün", "", "last", "ready"]);
  expect(await logs.text()).toBe(`${lines.join("\n")}\n`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of logs.bytes()) chunks.push(chunk);
  expect(Buffer.concat(chunks).toString()).toBe(await logs.text());
});

test("begins with the last lines, or those since a time, with their times before them", async () => {
  await using sandbox = await run("echo one; sleep 0.2; echo two; printf three; sleep 600");
  await seen(sandbox, "two");
  await sandbox.exec(["sleep", "0.1"]);
  expect(await sandbox.logs({ tailLines: 2 }).text()).toBe("two\nthree");
  const stamped = (await sandbox.logs({ timestamps: true }).text()).split("\n");
  expect(stamped.map((line) => line.slice(25))).toEqual(["one", "two", "three"]);
  const [one, two] = stamped.map((line) => new Date(line.slice(0, 24)));
  expect(await sandbox.logs({ since: two }).text()).toBe("two\nthree");
  expect(await sandbox.logs({ since: one, tailLines: 1 }).text()).toBe("three");
  expect(await sandbox.logs({ since: 60 }).text()).toBe("one\ntwo\nthree");
  expect(await sandbox.logs({ since: 0 }).text()).toBe("");
});

test("followed, ends with the main process, its last line without an end included", async () => {
  await using sandbox = await run(
    "echo begin; until [ -e go ]; do sleep 0.01; done; echo a; printf b",
  );
  const lines: string[] = [];
  for await (const line of sandbox.logs({ follow: true })) {
    if (line === "begin") await sandbox.writeFile("/workspace/go", "");
    lines.push(line);
  }
  expect(lines).toEqual(["begin", "a", "b"]);
});

test("a silent log can be left, by break, cancel, signal and the owner's close", async () => {
  await using sandbox = await run("echo first; sleep 600");
  await seen(sandbox, "first");
  const reader = sandbox.logs({ follow: true }).bytes().getReader();
  await reader.read();
  const pending = reader.read();
  await reader.cancel();
  expect(await pending).toMatchObject({ done: true });

  const lines = sandbox.logs({ follow: true })[Symbol.asyncIterator]();
  await lines.next();
  const next = lines.next();
  await lines.return?.();
  expect(await next).toMatchObject({ done: true });

  const giveUp = new AbortController();
  const reason = new Error("enough");
  const reading = sandbox.logs({ follow: true, signal: giveUp.signal }).text();
  giveUp.abort(reason);
  await expect(reading).rejects.toBe(reason);

  const other = await Sandbox.fromId(sandbox.id, { connection: service.connection });
  const closed = other.logs({ follow: true }).text();
  closeHandle(other, "the test has ended");
  await expect(closed).rejects.toThrow(SandboxClosedError);
  await expect(other.logs().text()).rejects.toThrow(SandboxClosedError);
});

test("of a sandbox that has ended is refused, and the error says what to do", async () => {
  const sandbox = await run("echo gone; exit 3");
  await sandbox.wait();
  const reading = sandbox.logs().text();
  await expect(reading).rejects.toThrow(SandboxClosedError);
  await expect(reading).rejects.toThrow(/begin to follow it while it runs/);
});

test("refuses options that cannot be, before anything is sent", async () => {
  await using sandbox = await run("sleep 600");
  const wrong = [
    { tailLines: -1 },
    { tailLines: 1.5 },
    { since: -1 },
    { since: Number.NaN },
    { since: new Date("never") },
    { tail: 5 },
  ];
  for (const options of wrong)
    expect(() => sandbox.logs(options as object)).toThrow(ConfigurationError);
});

test("a start that fails says what the main process printed", async () => {
  // Once it has failed nobody can read its log: it must take as long as the reader needs to be there.
  await using slow = await startTestService({ faults: { latency: { start: "500ms" } } });
  const start = Sandbox.run(["/no/such/program"], { connection: slow.connection });
  await expect(start).rejects.toThrow(SandboxFailedError);
  await expect(start).rejects.toMatchObject({
    stateReason: expect.stringContaining("could not be started"),
    lastLogLines: [expect.stringContaining("/no/such/program: No such file")],
  });
  await expect(start).rejects.toThrow(/printed last:\n  \/no\/such\/program: No such file/);
});

test("a wait answers with the last of the log, where that is asked for", async () => {
  await using sandbox = await run(
    "echo begin; until [ -e go ]; do sleep 0.01; done; seq 1 100; printf '\\033[31mcannot open db' >&2; exit 3",
  );
  const waiting = sandbox.wait({ withLog: true });
  await seen(sandbox, "begin");
  await sandbox.writeFile("/workspace/go", "");
  const { exitCode, lastLogLines } = await waiting;
  expect(exitCode).toBe(3);
  expect(lastLogLines).toHaveLength(20);
  expect(lastLogLines.join("\n")).toContain("\\x1b[31mcannot open db");
  expect(await sandbox.wait()).toMatchObject({ exitCode: 3, lastLogLines: [] });
});

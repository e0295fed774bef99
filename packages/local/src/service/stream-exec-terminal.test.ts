import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorReason, ExecStreamOutput_Stream, type ExecStreamResponse } from "@tidybox/protocol";
import { markedProcesses } from "../engines/process/marked-processes.ts";
import { Code } from "@connectrpc/connect";
import { descendantsOf, procFile } from "../testing/process-tree.ts";
import { Requests } from "../testing/requests.ts";
import { sandboxProcesses } from "../testing/sandbox-processes.ts";
import { testedEngines } from "../testing/tested-engines.ts";
import {
  createRunning,
  eventually,
  refusalOf,
  startTestService,
  type TestService,
} from "../testing/test-service.ts";

interface Screen {
  readonly requests: Requests;
  /** What has been shown since the last look. */
  shows(text: string | RegExp): Promise<string>;
  rest(): Promise<{ readonly text: string; readonly exitCode: number }>;
  cancel(): void;
}

describe.each(testedEngines)("a terminal with the engine %s", (engine) => {
  let service: TestService;
  let sandboxId: string;
  beforeAll(async () => {
    service = await startTestService({ engine });
    sandboxId = await createRunning(service.client);
  });
  afterAll(() => service.close());

  async function open(
    command: string[],
    init: { ttyWidth?: number; ttyHeight?: number; env?: Record<string, string> } = {},
  ): Promise<Screen> {
    const requests = new Requests();
    requests.send({ case: "init", value: { sandboxId, command, tty: true, ...init } });
    const cancel = new AbortController();
    const responses = service.client.streamExec(requests, { signal: cancel.signal });
    const stream = responses[Symbol.asyncIterator]();
    const first = await stream.next();
    expect(first.value.message.case).toBe("ready");
    let seen = "";
    const decoder = new TextDecoder();
    const next = async (): Promise<ExecStreamResponse["message"]> => {
      const { done, value } = await stream.next();
      if (done === true) throw new Error(`the stream ended after ${JSON.stringify(seen)}`);
      if (value.message.case === "output") {
        expect(value.message.value.stream).toBe(ExecStreamOutput_Stream.STDOUT);
        seen += decoder.decode(value.message.value.data, { stream: true });
      }
      return value.message;
    };
    return {
      requests,
      cancel: () => cancel.abort(),
      shows: async (text) => {
        const matches = () => (typeof text === "string" ? seen.includes(text) : text.test(seen));
        while (!matches()) {
          const message = await next();
          if (message.case === "exit") throw new Error(`it exited after ${JSON.stringify(seen)}`);
        }
        const shown = seen;
        seen = "";
        return shown;
      },
      rest: async () => {
        for (;;) {
          const message = await next();
          if (message.case !== "exit") continue;
          requests.end();
          expect((await stream.next()).done).toBe(true);
          return { text: seen, exitCode: message.value.exitCode };
        }
      },
    };
  }

  const type = ({ requests }: Screen, text: string): void =>
    requests.send({ case: "stdin", value: Buffer.from(text) });

  test("is one: isatty of all three, /dev/tty, TERM, and the size as given", async () => {
    const script =
      'test -t 0 && test -t 1 && test -t 2 && echo tty; echo "$TERM"; stty size </dev/tty; echo to-err >&2; exit 3';
    const screen = await open(["/bin/sh", "-c", script], { ttyWidth: 101, ttyHeight: 31 });
    expect(await screen.rest()).toEqual({
      text: "tty\r\nxterm-256color\r\n31 101\r\nto-err\r\n",
      exitCode: 3,
    });
    const plain = await open(["stty", "size"]);
    expect(await plain.rest()).toEqual({ text: "24 80\r\n", exitCode: 0 });
    const own = await open(["/bin/sh", "-c", 'echo "$TERM"'], { env: { TERM: "dumb" } });
    expect((await own.rest()).text).toBe("dumb\r\n");
  });

  test("tells of a new size by SIGWINCH", async () => {
    const script = "trap 'stty size; exit 0' WINCH; echo waiting; while :; do sleep 0.05; done";
    const screen = await open(["/bin/sh", "-c", script]);
    await screen.shows("waiting");
    screen.requests.send({ case: "resize", value: { width: 0, height: 10 } });
    screen.requests.send({ case: "resize", value: { width: 132, height: 43 } });
    expect(await screen.rest()).toEqual({ text: "43 132\r\n", exitCode: 0 });
  });

  test("echoes what is typed, and has Ctrl+D end it", async () => {
    const screen = await open(["cat"]);
    type(screen, "hello\n");
    await screen.shows("hello\r\nhello\r\n");
    type(screen, "\u0004");
    expect(await screen.rest()).toEqual({ text: "", exitCode: 0 });
  });

  test("takes the end of input for Ctrl+D, also in the middle of a line", async () => {
    const screen = await open(["cat"]);
    type(screen, "half a line");
    screen.requests.send({ case: "close", value: {} });
    const { text, exitCode } = await screen.rest();
    expect({ text: text.replaceAll("\b", ""), exitCode }).toMatchObject({ exitCode: 0 });
    expect(text).toContain("half a linehalf a line");
  });

  test("is at the end of input for everybody who reads after it, a shell that is starting too", async () => {
    const twice = await open(["/bin/sh", "-c", "cat; stty raw; stty -raw; cat; echo over"]);
    twice.requests.send({ case: "close", value: {} });
    expect(await twice.rest()).toMatchObject({
      text: expect.stringContaining("over"),
      exitCode: 0,
    });
    const shell = await open(["bash", "--norc", "-i"]);
    type(shell, "echo from-$((1 + 1))\n");
    shell.requests.send({ case: "close", value: {} });
    const { text, exitCode } = await shell.rest();
    expect(text).toContain("from-2");
    expect(exitCode).toBe(0);
  });

  test("interrupts with Ctrl+C: 130, and not for a program that goes on after it", async () => {
    const screen = await open(["/bin/sh", "-c", "echo begun; sleep 600"]);
    await screen.shows("begun");
    // A dash that is just becoming its last command loses signals.
    await eventually(() => sleeping(service, sandboxId));
    type(screen, "\u0003");
    expect((await screen.rest()).exitCode).toBe(130);

    const script = "trap 'echo caught' INT; echo begun; read line; echo \"got $line\"; exit 4";
    const stubborn = await open(["/bin/sh", "-c", script]);
    await stubborn.shows("begun");
    type(stubborn, "\u0003");
    const shown = await stubborn.shows("^C");
    type(stubborn, "word\n");
    const { text, exitCode } = await stubborn.rest();
    expect(shown + text).toContain("caught");
    expect(exitCode).toBe(4);
  });

  test("runs an interactive shell with job control", async () => {
    const screen = await open(["bash", "--norc", "-i"], { env: { PS1: "ready> " } });
    const first = await screen.shows("ready> ");
    expect(first).not.toContain("no job control");
    type(screen, "sleep 600\n");
    await screen.shows("sleep 600\r\n");
    await eventually(() => sleeping(service, sandboxId));
    type(screen, "\u001a");
    await screen.shows("Stopped");
    type(screen, "kill %1; wait; echo done $((40 + 2))\n");
    await screen.shows("done 42");
    type(screen, "exit 5\n");
    expect((await screen.rest()).exitCode).toBe(5);
  });

  test("passes every byte through a raw terminal, both ways", async () => {
    const screen = await open([
      "/bin/sh",
      "-c",
      "stty raw -echo; echo begin; head -c 65536 | od -An -v -tx1",
    ]);
    await screen.shows("begin\n");
    const bytes = Buffer.from(Array.from({ length: 65536 }, (_, index) => index % 256));
    for (let at = 0; at < bytes.length; at += 10_000) {
      screen.requests.send({ case: "stdin", value: bytes.subarray(at, at + 10_000) });
    }
    const { text, exitCode } = await screen.rest();
    expect(exitCode).toBe(0);
    expect(Buffer.from(text.replaceAll(/\s/g, ""), "hex").equals(bytes)).toBe(true);
  });

  test("shows a full-screen program: colours, other screen, keys without Enter", async () => {
    const script = [
      "saved=$(stty -g); stty raw -echo",
      "printf '\\033[?1049h\\033[2J\\033[1;1H\\033[31mred\\033[0m\\033[5;10Hpress q'",
      'while :; do key=$(dd bs=1 count=1 2>/dev/null); test "$key" = q && break; printf \'<%s>\' "$key"; done',
      "printf '\\033[?1049l'; stty \"$saved\"; stty -a",
    ].join("\n");
    const screen = await open(["/bin/sh", "-c", script]);
    expect(await screen.shows("press q")).toBe(
      "\u001b[?1049h\u001b[2J\u001b[1;1H\u001b[31mred\u001b[0m\u001b[5;10Hpress q",
    );
    type(screen, "x");
    expect(await screen.shows("<x>")).toBe("<x>");
    type(screen, "q");
    const { text, exitCode } = await screen.rest();
    expect(exitCode).toBe(0);
    expect(text.startsWith("\u001b[?1049l")).toBe(true);
    expect(text).toMatch(/ icanon /);
  });

  test("loses nothing of 20 MB, for a reader that stands still at the end too", async () => {
    const size = 20_000_000;
    const requests = new Requests();
    const command = ["/bin/sh", "-c", `stty -opost; head -c ${size} /dev/zero; printf end`];
    requests.send({ case: "init", value: { sandboxId, command, tty: true } });
    let bytes = 0;
    let tail = "";
    for await (const { message } of service.client.streamExec(requests)) {
      if (message.case === "exit") requests.end();
      if (message.case !== "output") continue;
      bytes += message.value.data.length;
      tail = (tail + Buffer.from(message.value.data.slice(-3)).toString()).slice(-3);
      // The program ends meanwhile, and its last words wait.
      if (bytes > size - 300_000 && bytes < size) await new Promise((go) => setTimeout(go, 30));
    }
    expect({ bytes, tail }).toEqual({ bytes: size + 3, tail: "end" });
  });

  test("stops the program when nobody reads", async () => {
    const mark = `TERMINAL_SLOW_${engine}`;
    const screen = await open(["bash", "-c", "yes 0123456789 | head -c 20000000; exit 6"], {
      env: { [mark]: "1" },
    });
    await screen.shows("0123456789");
    await eventually(() => standsStill(service, sandboxId));
    expect(markedProcesses(`${mark}=1`)).not.toEqual([]);
    expect((await screen.rest()).exitCode).toBe(6);
  });

  test("ends all jobs when the client cancels, those that ignore a hangup too", async () => {
    const mark = `TERMINAL_CANCEL_${engine}`;
    const screen = await open(["bash", "--norc", "-i"], { env: { [mark]: "1", PS1: "ready> " } });
    await screen.shows("ready> ");
    type(screen, "trap '' HUP INT TERM; sleep 600 & (sleep 601; sleep 602) & sleep 603\n");
    await eventually(() => markedProcesses(`${mark}=1`).length >= 5);
    screen.cancel();
    await eventually(() => markedProcesses(`${mark}=1`).length === 0);
    await eventually(() => holders(service).length === 0);
    screen.requests.end();
  });

  test("says what cannot be run as a shell does", async () => {
    const screen = await open(["no-such-program"]);
    const { text, exitCode } = await screen.rest();
    expect(exitCode).toBe(127);
    expect(text).toMatch(/no-such-program: .*(not found|No such file)/);
    expect(text).not.toContain("setsid");
  });

  test("does not hand its descriptors to other commands, nor to its own", async () => {
    const one = await open(["cat"]);
    const two = await open(["/bin/sh", "-c", "ls -1 /proc/self/fd; readlink /proc/self/fd/*"]);
    const { text } = await two.rest();
    expect(text).not.toContain("ptmx");
    expect(text.split("\r\n").filter((line) => /^\d+$/.test(line))).toEqual(["0", "1", "2", "3"]);
    const { stdout } = await service.client.exec({
      sandboxId,
      command: ["/bin/sh", "-c", "ls -l /proc/self/fd"],
    });
    expect(Buffer.from(stdout).toString()).not.toMatch(/ptmx|pts/);
    type(one, "\u0004");
    await one.rest();
  });

  test("is gone with its sandbox", async () => {
    const other = await createRunning(service.client);
    const requests = new Requests();
    const mark = `TERMINAL_STOP_${engine}`;
    const command = ["/bin/sh", "-c", "trap '' HUP; echo begun; while :; do sleep 1; done"];
    const value = { sandboxId: other, command, tty: true, env: { [mark]: "1" } };
    requests.send({ case: "init", value });
    const cases: (string | undefined)[] = [];
    for await (const { message } of service.client.streamExec(requests)) {
      cases.push(message.case);
      if (message.case === "output") await service.client.deleteSandbox({ sandboxId: other });
      if (message.case === "exit") expect(message.value.exitCode).toBe(137);
    }
    requests.end();
    expect(cases.at(-1)).toBe("exit");
    expect(markedProcesses(`${mark}=1`)).toEqual([]);
  });

  test("leaves no process behind", async () => {
    await eventually(() => holders(service).length === 0);
  });
});

test("where the addon is missing, only terminals are refused, in words", async () => {
  const preload = `import { Module } from "node:module";
    const resolve = Module._resolveFilename;
    Module._resolveFilename = (name, ...rest) => {
      if (name.includes("node-pty-")) throw new Error("Cannot find module '" + name + "'");
      return resolve.call(Module, name, ...rest);
    };`;
  const service = await startTestService({}, [
    "env",
    `NODE_OPTIONS=--import=data:text/javascript,${encodeURIComponent(preload)}`,
  ]);
  try {
    const sandboxId = await createRunning(service.client);
    const requests = new Requests();
    requests.send({ case: "init", value: { sandboxId, command: ["true"], tty: true } });
    requests.end();
    const call = service.client.streamExec(requests)[Symbol.asyncIterator]().next();
    expect(await refusalOf(call)).toMatchObject({
      code: Code.Unimplemented,
      reason: ErrorReason.NOT_IMPLEMENTED,
      message: expect.stringMatching(/no terminals on this machine .*node-pty-.*without tty/),
    });
    expect(await service.client.exec({ sandboxId, command: ["true"] })).toMatchObject({
      exitCode: 0,
    });
  } finally {
    await service.close();
  }
});

/** The processes that hold the terminals of a service. */
function holders(service: TestService): readonly number[] {
  return descendantsOf(service.process.pid ?? 0).filter((pid) =>
    procFile(pid, "cmdline").includes("terminal-main"),
  );
}

async function sleeping(service: TestService, sandboxId: string): Promise<boolean> {
  const processes = await sandboxProcesses(service, sandboxId);
  return processes.some(({ command }) => command === "sleep 600 ");
}

/** Whether `head` waits for its output to be taken, twice in a row at the same place. */
async function standsStill(service: TestService, sandboxId: string): Promise<boolean> {
  const head = (await sandboxProcesses(service, sandboxId)).find(({ command }) =>
    command.startsWith("head -c 20000000"),
  );
  if (head === undefined) throw new Error("head is not running any more");
  const written = () => /^wchar: (\d+)$/m.exec(readFileSync(`/proc/${head.pid}/io`, "utf8"))?.[1];
  const before = written();
  await new Promise((go) => setTimeout(go, 200));
  return before === written();
}

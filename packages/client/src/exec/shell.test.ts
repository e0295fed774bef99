import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { PassThrough, Writable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Sandbox } from "../sandbox/sandbox.ts";
import { type TestService, startTestService } from "../testing/local-service.ts";

let service: TestService;
let sandbox: Sandbox;
beforeAll(async () => {
  service = await startTestService();
  sandbox = await Sandbox.run({ connection: service.connection });
});
afterAll(async () => service?.[Symbol.asyncDispose]());

/** A terminal of this process, as far as a shell can tell. */
class FakeTerminal extends PassThrough {
  readonly isTTY = true;
  isRaw = false;
  columns = 90;
  rows = 20;
  readonly modes: boolean[] = [];

  setRawMode(raw: boolean): this {
    this.isRaw = raw;
    this.modes.push(raw);
    return this;
  }
}

class Screen extends Writable {
  readonly isTTY = true;
  columns = 90;
  rows = 20;
  shown = "";
  #wake: (() => void) | undefined;

  override _write(data: Buffer, _encoding: string, done: () => void): void {
    this.shown += data.toString();
    this.#wake?.();
    done();
  }

  async shows(text: string): Promise<void> {
    while (!this.shown.includes(text)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

test("types what comes in, shows what comes out, follows the window, and restores everything", async () => {
  const input = new FakeTerminal();
  const output = new Screen();
  const shell = sandbox.shell({ command: ["/bin/sh"], env: { PS1: "> " }, input, output });
  await output.shows("> ");
  expect(input.isRaw).toBe(true);
  input.write("stty size; echo $((40 + 2))\r");
  await output.shows("20 90\r\n42\r\n");
  Object.assign(output, { columns: 111, rows: 33 });
  output.emit("resize");
  // It goes another way than what is typed, and may arrive later.
  input.write(
    "until [ \"$(stty size)\" = '33 111' ]; do sleep 0.1; done; echo followed-$((1 + 1))\r",
  );
  await output.shows("followed-2\r\n");
  input.write("exit 7\r");
  expect(await shell).toBe(7);
  expect(input.modes).toEqual([true, false]);
  expect([input.listenerCount("data"), output.listenerCount("resize")]).toEqual([0, 0]);
  expect(input.isPaused()).toBe(true);
});

test("the end of what is typed ends the shell; it needs no terminal here", async () => {
  const input = new PassThrough();
  const output = new Screen();
  const shell = sandbox.shell({ input, output });
  input.end("echo from-$((1 + 1))\n");
  expect(await shell).toBe(0);
  expect(output.shown).toContain("from-2");
});

test("a signal ends it, and the terminal is as before", async () => {
  const input = new FakeTerminal();
  const output = new Screen();
  const enough = new AbortController();
  const reason = new Error("enough");
  const shell = sandbox.shell({ command: ["cat"], input, output, signal: enough.signal });
  input.write("echo\r");
  await output.shows("echo");
  enough.abort(reason);
  await expect(shell).rejects.toBe(reason);
  expect(input.modes).toEqual([true, false]);
});

test("a screen that breaks ends it", async () => {
  const input = new FakeTerminal();
  const gone = new Error("EPIPE");
  const output = new Writable({ write: (_data, _encoding, done) => done(gone) });
  await expect(
    sandbox.shell({ command: ["sh", "-c", "echo x; sleep 600"], input, output }),
  ).rejects.toBe(gone);
  expect(input.modes).toEqual([true, false]);
});

test("joins a real terminal, and gives it back as it was", async (context) => {
  if (!existsSync("/usr/bin/script")) context.skip("needs script of util-linux");
  const program = `
    import { Sandbox } from "@tidybox/client";
    const sandbox = await Sandbox.fromId(process.argv[1]);
    process.exitCode = await sandbox.shell({ command: ["/bin/sh"], env: { PS1: "inside> " } });
  `;
  const node = `'${process.execPath}' --input-type=module --eval '${program}' ${sandbox.id}`;
  const command = `stty rows 21 cols 87; ${node}; echo "ended with $?"; stty -a`;
  const child = spawn("/usr/bin/script", ["-qfec", command, "/dev/null"], {
    cwd: import.meta.dirname,
    env: {
      PATH: process.env["PATH"],
      TERM: "vt220",
      CWSANDBOX_BASE_URL: service.baseUrl,
      CWSANDBOX_API_KEY: service.apiKey,
    },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const screen = new Screen();
  child.stdout.pipe(screen);
  await screen.shows("inside> ");
  child.stdin.write("stty size; echo $TERM; sleep 600\r");
  await screen.shows("21 87\r\nvt220\r\n");
  const looked = "until grep -lazs '^sleep' /proc/[0-9]*/cmdline; do sleep 0.02; done";
  await sandbox.exec(["sh", "-c", looked], { check: true });
  child.stdin.write("\u0003");
  child.stdin.write("echo still-$((1 + 1)); exit 5\r");
  await screen.shows("ended with 5");
  await screen.shows("iexten");
  expect(screen.shown).toContain("still-2");
  expect(screen.shown).toMatch(/[^-]icanon/);
  child.stdin.end();
});

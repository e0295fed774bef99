import { expect } from "vitest";
import { refusalOf, sh } from "../../../packages/local/src/testing/test-service.ts";
import { Code } from "@connectrpc/connect";
import type { CaseContext } from "../contract.ts";
import { section } from "../contract.ts";
import { ExecStream } from "../exec-streams.ts";
import { TELL_PID, untilGone, untilTold } from "../inside-sandbox.ts";
import { running } from "../sandboxes.ts";

type Size = { readonly ttyWidth?: number; readonly ttyHeight?: number };

/** A command in a terminal, ready for what is typed. */
async function terminal(
  { bed }: CaseContext,
  sandboxId: string,
  script: string,
  size: Size = {},
): Promise<ExecStream> {
  const command = ["/bin/sh", "-c", script];
  const stream = new ExecStream(bed.sandboxes, { sandboxId, command, tty: true, ...size });
  await stream.ready();
  return stream;
}

async function shown(stream: ExecStream): Promise<{ text: string; exitCode: number | undefined }> {
  const { stdout, stderr, exitCode } = await stream.ended();
  stream.halfClose();
  return { text: Buffer.concat([stdout, stderr]).toString(), exitCode };
}

export const terminals = section("3.7", (says) => {
  says("tty gives a terminal on all three descriptors, and /dev/tty", async (context) => {
    const sandboxId = await running(context);
    const script = "test -t 0 && test -t 1 && test -t 2 && echo all; echo mine >/dev/tty; exit 3";
    expect(await shown(await terminal(context, sandboxId, script))).toEqual({
      text: "all\r\nmine\r\n",
      exitCode: 3,
    });
  });

  says("without tty none of them is a terminal", async (context) => {
    const sandboxId = await running(context);
    const script = "test -t 0 || test -t 1 || test -t 2 || echo none";
    expect((await sh(context.bed.sandboxes, sandboxId, script)).stdout).toBe("none\n");
  });

  says("stdout and stderr are merged in the order in which they were written", async (context) => {
    const sandboxId = await running(context);
    const script = "for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done";
    const { text } = await shown(await terminal(context, sandboxId, script));
    const lines = [1, 2, 3, 4, 5].flatMap((each) => [`out ${each}`, `err ${each}`]);
    expect(text).toBe(lines.map((line) => `${line}\r\n`).join(""));
  });

  says("init has columns as its width and rows as its height", async (context) => {
    const sandboxId = await running(context);
    const size = { ttyWidth: 101, ttyHeight: 31 };
    expect((await shown(await terminal(context, sandboxId, "stty size", size))).text).toBe(
      "31 101\r\n",
    );
  });

  says("(our choice) a width or height of 0 is not given: 80 columns, 24 rows", async (context) => {
    const sandboxId = await running(context);
    const sizeOf = async (size: Size): Promise<string> =>
      (await shown(await terminal(context, sandboxId, "stty size", size))).text;
    expect(await sizeOf({})).toBe("24 80\r\n");
    expect(await sizeOf({ ttyWidth: 0, ttyHeight: 50 })).toBe("50 80\r\n");
  });

  says("resize tells the command of its new size at once", async (context) => {
    const sandboxId = await running(context);
    const script = "trap 'stty size; exit 0' WINCH; echo waiting; while :; do sleep 0.05; done";
    const stream = await terminal(context, sandboxId, script);
    await stream.shows("waiting");
    stream.resize(132, 43);
    const { text, exitCode } = await shown(stream);
    expect(text).toContain("43 132\r\n");
    expect(exitCode).toBe(0);
  });

  says("what is typed after a resize finds it done", async (context) => {
    const sandboxId = await running(context);
    const script = 'while read -r line; do size=$(stty size); echo "$line: $size"; done';
    const stream = await terminal(context, sandboxId, script);
    const expected: string[] = [];
    for (let width = 60; width < 80; width += 1) {
      stream.resize(width, width - 40);
      stream.stdin(`now ${width}\n`);
      await stream.shows(`now ${width}: `);
      expected.push(`now ${width}: ${width - 40} ${width}`);
    }
    stream.halfClose();
    const { stdout } = await stream.ended();
    const sizes = stdout.toString().split("\r\n");
    expect(sizes.filter((line) => line.includes(": "))).toEqual(expected);
  });

  says("what is typed is echoed, and goes to the command line by line", async (context) => {
    const sandboxId = await running(context);
    const stream = await terminal(context, sandboxId, 'read -r line; echo "got <$line>"');
    stream.stdin("wo");
    stream.stdin("rd\n");
    const { text, exitCode } = await shown(stream);
    expect(text).toBe("word\r\ngot <word>\r\n");
    expect(exitCode).toBe(0);
  });

  says("close and half-close are Ctrl+D there", async (context) => {
    const sandboxId = await running(context);
    for (const closes of [true, false]) {
      const stream = await terminal(context, sandboxId, "cat; echo over; exit 4");
      stream.stdin("line\n");
      await stream.shows("line\r\nline\r\n");
      if (closes) stream.close();
      else stream.halfClose();
      const { text, exitCode } = await shown(stream);
      expect(text).toContain("over");
      expect(exitCode).toBe(4);
    }
  });

  says("Ctrl+C interrupts the command: exit code 130", async (context) => {
    const sandboxId = await running(context);
    const stream = await terminal(context, sandboxId, "echo begun; while :; do sleep 0.05; done");
    await stream.shows("begun");
    stream.stdin("\u0003");
    expect((await shown(stream)).exitCode).toBe(130);
  });

  says("a raw terminal passes every byte on, both ways", async (context) => {
    const sandboxId = await running(context);
    const script = "stty raw -echo; echo begin; head -c 512";
    const stream = await terminal(context, sandboxId, script);
    await stream.shows("begin\n");
    const bytes = Buffer.from(Array.from({ length: 512 }, (_, index) => index % 256));
    stream.stdin(bytes.subarray(0, 100));
    stream.stdin(bytes.subarray(100));
    const { stdout, exitCode } = await stream.ended();
    stream.halfClose();
    expect(exitCode).toBe(0);
    expect(stdout.subarray(-512).equals(bytes)).toBe(true);
  });

  says("an interactive shell runs what is typed, and ends with its exit", async (context) => {
    const sandboxId = await running(context);
    const stream = await terminal(context, sandboxId, "PS1='ready> ' exec /bin/sh -i");
    await stream.shows("ready> ");
    stream.stdin("cd / && echo at-$PWD-$((40 + 2))\n");
    await stream.shows("at-/-42");
    stream.stdin("exit 7\n");
    expect((await shown(stream)).exitCode).toBe(7);
  });

  says("a missing program is told in the terminal, and exit comes", async (context) => {
    const sandboxId = await running(context);
    const init = { sandboxId, command: ["no-such-program"], tty: true };
    const { text, exitCode } = await shown(new ExecStream(context.bed.sandboxes, init));
    expect(text).toContain("no-such-program");
    expect(exitCode).toBe(127);
  });

  says("a client that cancels ends the command, one that ignores a hangup too", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await running(context);
    const script = `trap '' HUP INT TERM; ${TELL_PID}; while :; do sleep 0.05; done`;
    const stream = await terminal(context, sandboxId, script);
    await untilTold(sandboxes, sandboxId);
    stream.cancel();
    expect(await refusalOf(stream.ended())).toMatchObject({ code: Code.Canceled });
    await untilGone(sandboxes, sandboxId);
  });

  says("all that a terminal shows comes before exit, megabytes too", async (context) => {
    const sandboxId = await running(context);
    const script = "stty -opost; head -c 3000000 /dev/zero; printf end; exit 2";
    const { text, exitCode } = await shown(await terminal(context, sandboxId, script));
    expect([text.length, text.slice(-3), exitCode]).toEqual([3_000_003, "end", 2]);
  });
});

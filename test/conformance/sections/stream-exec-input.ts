import { createHash } from "node:crypto";
import { expect } from "vitest";
import { sh } from "../../../packages/local/src/testing/test-service.ts";
import { section } from "../contract.ts";
import { ExecStream, fed, patterned, slices, streamed } from "../exec-streams.ts";
import { isAlive, TELL_PID, untilTold } from "../inside-sandbox.ts";
import { running } from "../sandboxes.ts";

const KIBIBYTE = 1024;
const MEBIBYTE = 1024 * KIBIBYTE;

/** What a client sends: input in frames of any size, its end, and nothing. */
export const streamExecInput = section("3.7", (says) => {
  says(
    "init and half-close at once is empty input, and neither a kill nor a delay",
    async (context) => {
      const sandboxId = await running(context);
      const script = "cat; echo after; sleep 0.3; echo later; exit 6";
      const ended = await streamed(context.bed.sandboxes, sandboxId, "/bin/sh", "-c", script);
      expect(ended.stdout.toString()).toBe("after\nlater\n");
      expect(ended.exitCode).toBe(6);
    },
  );

  says("close right after init does no harm, with and without half-close", async (context) => {
    const sandboxId = await running(context);
    const command = ["/bin/sh", "-c", "cat; sleep 0.1; echo after; exit 6"];
    for (const halfCloses of [true, false]) {
      const stream = new ExecStream(context.bed.sandboxes, { sandboxId, command });
      stream.close();
      if (halfCloses) stream.halfClose();
      const { stdout, exitCode } = await stream.ended();
      expect({ stdout: stdout.toString(), exitCode }).toEqual({ stdout: "after\n", exitCode: 6 });
      stream.halfClose();
    }
  });

  says("empty input can be opened by name", async (context) => {
    const sandboxId = await running(context);
    const script = "cat /dev/stdin; echo status $?";
    const { stdout } = await streamed(context.bed.sandboxes, sandboxId, "/bin/sh", "-c", script);
    expect(stdout.toString()).toBe("status 0\n");
  });

  says(
    "ready comes before any input, and well within the 5 s that clients wait",
    async (context) => {
      const sandboxId = await running(context);
      for (const tty of [false, true]) {
        const before = performance.now();
        const stream = new ExecStream(context.bed.sandboxes, { sandboxId, command: ["cat"], tty });
        await stream.ready();
        expect(performance.now() - before).toBeLessThan(4000);
        stream.stdin("word\n");
        await stream.shows("word");
        stream.close();
        stream.halfClose();
        expect((await stream.ended()).exitCode).toBe(0);
      }
    },
  );

  says("close is the end of input, and no kill: output goes on", async (context) => {
    const sandboxId = await running(context);
    const command = ["/bin/sh", "-c", "cat; sleep 0.2; echo after; exit 3"];
    const ended = await fed(context.bed.sandboxes, { sandboxId, command }, ["some ", "input\n"]);
    expect(ended.stdout.toString()).toBe("some input\nafter\n");
    expect(ended.exitCode).toBe(3);
  });

  says("half-close without close is the same end of input", async (context) => {
    const sandboxId = await running(context);
    const command = ["/bin/sh", "-c", "cat; sleep 0.2; echo after; exit 3"];
    const stream = new ExecStream(context.bed.sandboxes, { sandboxId, command });
    await stream.ready();
    stream.stdin("input\n");
    stream.halfClose();
    const { stdout, exitCode } = await stream.ended();
    expect({ stdout: stdout.toString(), exitCode }).toEqual({
      stdout: "input\nafter\n",
      exitCode: 3,
    });
  });

  says("(our choice) what comes after close is passed over", async (context) => {
    const sandboxId = await running(context);
    const command = ["/bin/sh", "-c", "cat; sleep 0.1; echo after"];
    const stream = new ExecStream(context.bed.sandboxes, { sandboxId, command });
    await stream.ready();
    stream.stdin("before\n");
    stream.close();
    stream.stdin("too late\n");
    stream.close();
    stream.halfClose();
    const { stdout, exitCode } = await stream.ended();
    expect({ stdout: stdout.toString(), exitCode }).toEqual({
      stdout: "before\nafter\n",
      exitCode: 0,
    });
  });

  says("frames of 1 byte to 1 MiB arrive whole and in order", async (context) => {
    const sandboxId = await running(context);
    const content = patterned(4 * MEBIBYTE);
    const frames: Uint8Array[] = [];
    let at = 0;
    for (const size of [1, 2, 3, 1000, 4096, 65_535, 65_536, 65_537, MEBIBYTE, MEBIBYTE - 1, 7]) {
      frames.push(content.subarray(at, at + size));
      at += size;
    }
    frames.push(...slices(content.subarray(at), 64 * KIBIBYTE));
    const init = { sandboxId, command: ["cat"] };
    const { stdout, exitCode } = await fed(context.bed.sandboxes, init, frames);
    expect(exitCode).toBe(0);
    expect(stdout.equals(content)).toBe(true);
  });

  says("a thousand frames of 1 byte arrive, empty ones among them", async (context) => {
    const sandboxId = await running(context);
    const content = patterned(1000);
    const frames = slices(content, 1).flatMap((frame) => [frame, Buffer.alloc(0)]);
    const init = { sandboxId, command: ["cat"] };
    const { stdout } = await fed(context.bed.sandboxes, init, frames);
    expect(stdout.equals(content)).toBe(true);
  });

  says("a frame can be as large as a client likes: 24 MiB in one", async (context) => {
    const sandboxId = await running(context);
    const content = patterned(24 * MEBIBYTE);
    const command = ["sha256sum"];
    const { stdout } = await fed(context.bed.sandboxes, { sandboxId, command }, [content]);
    const expected = createHash("sha256").update(content).digest("hex");
    expect(stdout.toString().split(" ")[0]).toBe(expected);
  });

  says("a process that ends before its input is no error", async (context) => {
    const sandboxId = await running(context);
    const frames = slices(Buffer.alloc(4 * MEBIBYTE), 64 * KIBIBYTE);
    const init = { sandboxId, command: ["/bin/sh", "-c", "head -c 3 >/dev/null; exit 4"] };
    expect(await fed(context.bed.sandboxes, init, frames)).toMatchObject({ exitCode: 4 });
  });

  says("resize without a terminal does no harm", async (context) => {
    const sandboxId = await running(context);
    const stream = new ExecStream(context.bed.sandboxes, { sandboxId, command: ["cat"] });
    await stream.ready();
    stream.resize(100, 30);
    stream.stdin("a");
    stream.resize(0, 0);
    stream.stdin("b");
    stream.halfClose();
    const { stdout, exitCode } = await stream.ended();
    expect({ stdout: stdout.toString(), exitCode }).toEqual({ stdout: "ab", exitCode: 0 });
  });

  says(
    "a command that is silent and has open input goes on for as long as it likes",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context);
      const command = ["/bin/sh", "-c", `${TELL_PID}; read -r line; echo "$line"`];
      const stream = new ExecStream(sandboxes, { sandboxId, command });
      await stream.ready();
      await untilTold(sandboxes, sandboxId);
      await sh(sandboxes, sandboxId, "sleep 1");
      expect(await isAlive(sandboxes, sandboxId)).toBe(true);
      stream.stdin("at last\n");
      expect((await stream.ended()).stdout.toString()).toBe("at last\n");
      stream.halfClose();
    },
  );
});

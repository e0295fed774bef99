import { timestampMs } from "@bufbuild/protobuf/wkt";
import { expect } from "vitest";
import { Code } from "@connectrpc/connect";
import { ErrorReason, ExecStreamOutput_Stream } from "@tidybox/protocol";
import {
  refusalOf,
  run,
  sh,
  untilEnded,
} from "../../../packages/local/src/testing/test-service.ts";
import { section } from "../contract.ts";
import { ExecStream, streamed } from "../exec-streams.ts";
import { isAlive, TELL_PID, untilGone, untilTold } from "../inside-sandbox.ts";
import { running, started } from "../sandboxes.ts";
import { NEEDS_SEVERAL_CONTAINERS, runningPair } from "../two-containers.ts";

/** What the server sends, in which order, and when it ends a stream. */
export const streamExec = section("3.7", (says) => {
  says("the client's first message is init, or the stream is refused", async ({ bed }) => {
    const refused = {
      code: Code.InvalidArgument,
      reason: ErrorReason.INVALID_ARGUMENT,
      message: expect.stringContaining("init"),
    };
    for (const first of ["stdin", "resize", "close", "nothing"] as const) {
      const stream = new ExecStream(bed.sandboxes);
      if (first === "stdin") stream.stdin("x");
      if (first === "resize") stream.resize(80, 24);
      if (first === "close") stream.close();
      stream.halfClose();
      expect(await refusalOf(stream.ended())).toMatchObject(refused);
    }
  });

  says("(our choice) a second init is passed over", async (context) => {
    const sandboxId = await running(context);
    const stream = new ExecStream(context.bed.sandboxes, { sandboxId, command: ["cat"] });
    await stream.ready();
    stream.init({ sandboxId, command: ["echo", "second"] });
    stream.stdin("first");
    stream.halfClose();
    const { stdout, exitCode } = await stream.ended();
    expect({ stdout: stdout.toString(), exitCode }).toEqual({ stdout: "first", exitCode: 0 });
  });

  says(
    "ready comes first, then output, then one exit as the last, and status OK",
    async (context) => {
      const sandboxId = await running(context);
      const script = "echo out; echo err >&2; sleep 0.05; echo more; exit 7";
      const ended = await streamed(context.bed.sandboxes, sandboxId, "/bin/sh", "-c", script);
      expect(ended.order[0]).toBe("ready");
      expect(ended.order.at(-1)).toBe("exit");
      const between = ended.order.slice(1, -1);
      expect(between.length).toBeGreaterThan(1);
      expect(new Set(between)).toEqual(new Set(["output"]));
      expect(ended).toMatchObject({ exitCode: 7 });
      expect([ended.stdout.toString(), ended.stderr.toString()]).toEqual(["out\nmore\n", "err\n"]);
    },
  );

  says("ready and exit tell when the command began and ended", async (context) => {
    const sandboxId = await running(context);
    const stream = new ExecStream(context.bed.sandboxes, { sandboxId, command: ["true"] });
    stream.halfClose();
    const before = Date.now();
    const { readyTime } = await stream.ready();
    await stream.ended();
    const exit = stream.messages.at(-1);
    const completedTime = exit?.case === "exit" ? exit.value.completedTime : undefined;
    if (readyTime === undefined || completedTime === undefined) throw new Error("no times");
    expect(timestampMs(completedTime)).toBeGreaterThanOrEqual(timestampMs(readyTime));
    expect(Math.abs(timestampMs(readyTime) - before)).toBeLessThan(10_000);
  });

  says("all output comes before exit, also a last burst that is read late", async (context) => {
    const sandboxId = await running(context);
    const script = "head -c 3000000 /dev/zero; head -c 70000 /dev/zero >&2; printf end; exit 5";
    const stream = new ExecStream(context.bed.sandboxes, {
      sandboxId,
      command: ["/bin/sh", "-c", `${TELL_PID}; ${script}`],
    });
    stream.halfClose();
    await stream.ready();
    const { stdout, stderr, exitCode } = await stream.exit();
    expect([stdout.length, stderr.length, exitCode]).toEqual([3_000_003, 70_000, 5]);
    expect(stdout.subarray(-3).toString()).toBe("end");
    expect(await stream.next()).toBeUndefined();
  });

  says("exit always comes: for any code, a signal, a program that is missing", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await running(context);
    for (const [command, exitCode] of [
      [["true"], 0],
      [["/bin/sh", "-c", "exit 255"], 255],
      [["/bin/sh", "-c", "kill -TERM $$; sleep 5"], 143],
      [["/bin/sh", "-c", "kill -KILL $$; sleep 5"], 137],
      [["no-such-program"], 127],
    ] as const) {
      const ended = await streamed(sandboxes, sandboxId, ...command);
      expect(ended.order.at(-1)).toBe("exit");
      expect(ended.exitCode).toBe(exitCode);
    }
  });

  says("exit comes also when its sandbox is stopped under the command", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await running(context);
    const command = ["/bin/sh", "-c", "echo begun; sleep 600"];
    const stream = new ExecStream(sandboxes, { sandboxId, command });
    stream.halfClose();
    await stream.shows("begun");
    await sandboxes.deleteSandbox({ sandboxId });
    expect(await stream.ended()).toMatchObject({ exitCode: 137 });
  });

  says("the stream ends after exit although the client leaves its side open", async (context) => {
    const sandboxId = await running(context);
    for (const tty of [false, true]) {
      const command = ["echo", "done"];
      const stream = new ExecStream(context.bed.sandboxes, { sandboxId, command, tty });
      const { order, exitCode } = await stream.ended();
      expect([order.at(-1), exitCode]).toEqual(["exit", 0]);
      stream.halfClose();
    }
  });

  says("a client that cancels or half-closes after exit does no harm", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await running(context);
    for (let round = 0; round < 5; round += 1) {
      const cancelled = new ExecStream(sandboxes, { sandboxId, command: ["true"] });
      expect((await cancelled.exit()).exitCode).toBe(0);
      cancelled.cancel();
      const closed = new ExecStream(sandboxes, { sandboxId, command: ["true"] });
      expect((await closed.exit()).exitCode).toBe(0);
      closed.halfClose();
    }
    expect(await run(sandboxes, sandboxId, "echo", "there")).toMatchObject({ stdout: "there\n" });
  });

  says("without a terminal, stderr is tagged as such, and stdout as stdout", async (context) => {
    const sandboxId = await running(context);
    const script = "printf '\\000\\377'; printf '\\376\\012' >&2";
    const command = ["/bin/sh", "-c", script];
    const stream = new ExecStream(context.bed.sandboxes, { sandboxId, command });
    stream.halfClose();
    const { stdout, stderr } = await stream.ended();
    expect([[...stdout], [...stderr]]).toEqual([
      [0, 255],
      [254, 10],
    ]);
    const tags = stream.messages.flatMap((message) =>
      message.case === "output" ? [message.value.stream] : [],
    );
    expect(new Set(tags)).toEqual(
      new Set([ExecStreamOutput_Stream.STDOUT, ExecStreamOutput_Stream.STDERR]),
    );
  });

  says("output is sent while the command runs", async (context) => {
    const sandboxId = await running(context);
    const command = ["/bin/sh", "-c", 'echo first; read -r line; echo "got $line"'];
    const stream = new ExecStream(context.bed.sandboxes, { sandboxId, command });
    await stream.shows("first\n");
    stream.stdin("word\n");
    await stream.shows("got word\n");
    expect((await stream.ended()).exitCode).toBe(0);
  });

  says("a client that cancels, or whose deadline passes, ends the process", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await running(context);
    const init = { sandboxId, command: ["/bin/sh", "-c", `${TELL_PID}; sleep 600; true`] };
    const cancelled = new ExecStream(sandboxes, init);
    await cancelled.ready();
    await untilTold(sandboxes, sandboxId);
    expect(await isAlive(sandboxes, sandboxId)).toBe(true);
    cancelled.cancel();
    expect(await refusalOf(cancelled.ended())).toMatchObject({ code: Code.Canceled });
    await untilGone(sandboxes, sandboxId);
    await sh(sandboxes, sandboxId, "rm pid");
    const late = new ExecStream(sandboxes, init, { timeoutMs: 2000 });
    await late.ready();
    await untilTold(sandboxes, sandboxId);
    expect(await refusalOf(late.ended())).toMatchObject({ code: Code.DeadlineExceeded });
    await untilGone(sandboxes, sandboxId);
  });

  says("env goes on top of the container's variables", async (context) => {
    const sandboxId = await running(context, { environmentVariables: { A: "1", B: "2" } });
    const command = ["/bin/sh", "-c", 'printf %s "$A,$B,$C"'];
    const init = { sandboxId, command, env: { B: "own", C: "new\nline" } };
    const stream = new ExecStream(context.bed.sandboxes, init);
    stream.halfClose();
    expect((await stream.ended()).stdout.toString()).toBe("1,own,new\nline");
  });

  says(
    "container names where to run; empty means the primary one",
    async (context) => {
      const sandboxId = await runningPair(context);
      const command = ["/bin/sh", "-c", 'printf %s "$NAME"'];
      for (const container of ["", "side"]) {
        const stream = new ExecStream(context.bed.sandboxes, { sandboxId, command, container });
        stream.halfClose();
        expect((await stream.ended()).stdout.toString()).toBe(container || "main");
      }
    },
    NEEDS_SEVERAL_CONTAINERS,
  );

  says("what cannot be run at all is a gRPC error, and no message comes", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await running(context);
    const { sandboxId: ended } = await started(context, { command: "true" });
    await untilEnded(sandboxes, ended);
    for (const [init, refused] of [
      [{ sandboxId: "sb-none", command: ["true"] }, [Code.NotFound, "SANDBOX_NOT_FOUND"]],
      [{ sandboxId: ended, command: ["true"] }, [Code.FailedPrecondition, "SANDBOX_NOT_RUNNING"]],
      [{ sandboxId, command: [] }, [Code.InvalidArgument, "INVALID_ARGUMENT"]],
      [
        { sandboxId, command: ["true"], container: "other" },
        [Code.InvalidArgument, "INVALID_ARGUMENT"],
      ],
    ] as const) {
      const stream = new ExecStream(sandboxes, { ...init, command: [...init.command] });
      stream.halfClose();
      const { code, reason } = await refusalOf(stream.ended());
      expect([code, reason]).toEqual([refused[0], `CWSANDBOX_${refused[1]}`]);
      expect(stream.messages).toEqual([]);
    }
  });
});

import { expect } from "vitest";
import { Code } from "@connectrpc/connect";
import { FileErrorMetadata, isTerminal, LogStreamErrorCode, State } from "@tidybox/protocol";
import {
  refusalOf,
  run,
  sh,
  until,
  untilEnded,
} from "../../../packages/local/src/testing/test-service.ts";
import { section } from "../contract.ts";
import { ExecStream, streamed } from "../exec-streams.ts";
import { TELL_PID, untilGone, untilTold } from "../inside-sandbox.ts";
import { errorOf, printed, readLog, textOf } from "../log-streams.ts";
import { running } from "../sandboxes.ts";

/** A main process that does this when it is asked to end. */
const main = (onTerm: string) => ({
  command: "/bin/sh",
  args: ["-c", `trap '${onTerm}' TERM; ${TELL_PID}; while :; do sleep 0.02; done`],
});

/** Points 8 to 12 and 15 of the checklist, each once through. */
export const checklistCommands = [
  ...section("8.8", (says) => {
    says(
      "StreamExec: ready within 5 s, output, exit, OK, with empty stdin after a half-close",
      async (context) => {
        const sandboxId = await running(context);
        for (const tty of [false, true]) {
          const command = ["/bin/sh", "-c", "cat; echo out; exit 3"];
          const before = performance.now();
          const stream = new ExecStream(context.bed.sandboxes, { sandboxId, command, tty });
          stream.halfClose();
          await stream.ready();
          expect(performance.now() - before).toBeLessThan(5000);
          const ended = await stream.ended();
          expect(ended.stdout.toString()).toContain("out");
          expect([ended.order.at(-1), ended.exitCode]).toEqual(["exit", 3]);
        }
      },
    );
  }),
  ...section("8.9", (says) => {
    says(
      "a cancel is the end of the process at any moment, and no harm to anything else",
      async (context) => {
        const { sandboxes } = context.bed;
        const sandboxId = await running(context);
        const early = new ExecStream(sandboxes, { sandboxId, command: ["sleep", "600"] });
        const refused = refusalOf(early.ended());
        early.cancel();
        expect((await refused).code).toBe(Code.Canceled);
        const script = `${TELL_PID}; while :; do echo more; sleep 0.01; done`;
        const busy = new ExecStream(sandboxes, { sandboxId, command: ["/bin/sh", "-c", script] });
        await busy.shows("more");
        busy.cancel();
        await untilGone(sandboxes, sandboxId);
        const done = new ExecStream(sandboxes, { sandboxId, command: ["true"] });
        await done.exit();
        done.cancel();
        expect((await streamed(sandboxes, sandboxId, "echo", "x")).stdout.toString()).toBe("x\n");
      },
    );
  }),
  ...section("8.10", (says) => {
    says("unary Exec and StreamExec answer the same", async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context, { environmentVariables: { WORD: "a b" } });
      for (const script of [
        'printf %s "$WORD"; pwd; id -u; printf err >&2; exit 5',
        "echo $PATH; echo $HOME; umask; ulimit -n",
        "kill -TERM $$",
      ]) {
        const unary = await sh(sandboxes, sandboxId, script);
        const stream = await streamed(sandboxes, sandboxId, "/bin/sh", "-c", script);
        expect({
          stdout: stream.stdout.toString(),
          stderr: stream.stderr.toString(),
          exitCode: stream.exitCode,
        }).toEqual(unary);
      }
    });
  }),
  ...section("8.11", (says) => {
    says(
      "a file error tells its path as the caller gave it, and sizes in decimal",
      async (context) => {
        const { sandboxes } = context.bed;
        const sandboxId = await running(context);
        await sh(sandboxes, sandboxId, "truncate -s 3000000000 big");
        const large = await refusalOf(sandboxes.readFile({ sandboxId, path: "./big" }));
        expect(large.metadata).toEqual({
          [FileErrorMetadata.FILE_PATH]: "./big",
          [FileErrorMetadata.OPERATION]: "read",
          [FileErrorMetadata.SIZE_BYTES]: "3000000000",
          [FileErrorMetadata.MAX_SIZE_BYTES]: "33554432",
        });
        const missing = await refusalOf(sandboxes.readFile({ sandboxId, path: "../none" }));
        expect(missing.metadata[FileErrorMetadata.FILE_PATH]).toBe("../none");
      },
    );
  }),
  ...section("8.12", (says) => {
    says(
      "logs: main process only, one session id, exact offsets, SESSION_NOT_FOUND in the stream",
      async (context) => {
        const { sandboxes } = context.bed;
        const sandboxId = await printed(context, "head -c 70000 /dev/zero; echo");
        await run(sandboxes, sandboxId, "echo", "not this");
        const entries = await readLog(sandboxes, { sandboxId });
        expect(textOf(entries)).toHaveLength(70_005);
        expect(entries.at(-1)?.nextLogOffset).toBe(70_005n);
        expect(new Set(entries.map(({ logSessionId }) => logSessionId)).size).toBe(1);
        const unknown = { sandboxId, follow: true, resumeLogSessionId: "none" };
        expect(await errorOf(sandboxes, unknown)).toBe(LogStreamErrorCode.SESSION_NOT_FOUND);
      },
    );
  }),
  ...section("8.15", (says) => {
    says("variables and files of the spec are there for commands of all kinds", async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context, {
        environmentVariables: { WORD: "it's $5\nin two lines" },
        files: [{ path: "/workspace/given/file", content: Buffer.from("given") }],
      });
      const script = 'printf %s "$WORD"; cat given/file';
      expect((await sh(sandboxes, sandboxId, script)).stdout).toBe("it's $5\nin two linesgiven");
      for (const tty of [false, true]) {
        const command = ["/bin/sh", "-c", script];
        const stream = new ExecStream(sandboxes, { sandboxId, command, tty });
        stream.halfClose();
        const { stdout } = await stream.ended();
        expect(stdout.toString().replaceAll("\r", "")).toContain("it's $5\nin two linesgiven");
      }
    });

    says(
      "a stop with grace sends SIGTERM, and lets the main process end by itself",
      async (context) => {
        const { sandboxes } = context.bed;
        const sandboxId = await running(context, main("sleep 0.2; exit 7"));
        await untilTold(sandboxes, sandboxId);
        await sandboxes.deleteSandbox({ sandboxId, gracePeriodSeconds: 60 });
        const ended = await untilEnded(sandboxes, sandboxId);
        expect(ended.status?.exitCode).toBe(7);
      },
    );

    says("when the grace is over it is killed, however it resists", async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context, main(""));
      await untilTold(sandboxes, sandboxId);
      const before = performance.now();
      const { sandbox } = await sandboxes.deleteSandbox({ sandboxId, gracePeriodSeconds: 1 });
      expect(sandbox?.status?.state).toBe(State.TERMINATING);
      await until(sandboxes, sandboxId, isTerminal);
      expect(performance.now() - before).toBeGreaterThan(990);
    });

    says("without grace it is killed at once, and SIGTERM is not sent", async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context, main("echo asked"));
      await untilTold(sandboxes, sandboxId);
      const log = readLog(sandboxes, { sandboxId, follow: true });
      // Both streams are there once the second has been answered.
      await readLog(sandboxes, { sandboxId });
      await sandboxes.deleteSandbox({ sandboxId });
      const ended = await untilEnded(sandboxes, sandboxId);
      expect(ended.status?.state).toBe(State.TERMINATED);
      expect(textOf(await log)).toBe("");
    });
  }),
];

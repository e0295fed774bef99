import { expect } from "vitest";
import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { ErrorReason, SandboxService, State } from "@tidybox/protocol";
import {
  refusalOf,
  run,
  sh,
  until,
  untilEnded,
} from "../../../packages/local/src/testing/test-service.ts";
import { section } from "../contract.ts";
import { isAlive, TELL_PID, untilGone, untilTold } from "../inside-sandbox.ts";
import { running, started } from "../sandboxes.ts";

const NOT_RUNNING = {
  code: Code.FailedPrecondition,
  reason: ErrorReason.SANDBOX_NOT_RUNNING,
};

/** How a unary command ends, and when there is none. */
export const execEnd = section("3.6", (says) => {
  says("the call's deadline ends a command, which has no other limit", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await running(context);
    const command = ["/bin/sh", "-c", `${TELL_PID}; exec sleep 600`];
    const call = refusalOf(sandboxes.exec({ sandboxId, command }, { timeoutMs: 2000 }));
    await untilTold(sandboxes, sandboxId);
    expect(await call).toMatchObject({ code: Code.DeadlineExceeded });
    await untilGone(sandboxes, sandboxId);
  });

  says("a deadline of 0 has passed already: the command does not run on", async (context) => {
    const { bed } = context;
    const sandboxId = await running(context);
    // Not by the client's own timeout: that would not even send the call.
    const transport = createGrpcTransport({
      baseUrl: bed.service.baseUrl,
      interceptors: [
        (next) => (request) => {
          request.header.set("authorization", `Bearer ${bed.service.token}`);
          request.header.set("grpc-timeout", "0m");
          return next(request);
        },
      ],
    });
    const command = ["/bin/sh", "-c", "sleep 0.2; echo > ran"];
    const call = createClient(SandboxService, transport).exec({ sandboxId, command });
    expect(await refusalOf(call)).toMatchObject({ code: Code.DeadlineExceeded });
    expect((await sh(bed.sandboxes, sandboxId, "sleep 0.4; test -e ran")).exitCode).toBe(1);
  });

  says("a caller that goes away takes the command along", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await running(context);
    const cancel = new AbortController();
    const command = ["/bin/sh", "-c", `${TELL_PID}; sleep 600; true`];
    const call = refusalOf(sandboxes.exec({ sandboxId, command }, { signal: cancel.signal }));
    await untilTold(sandboxes, sandboxId);
    cancel.abort();
    expect(await call).toMatchObject({ code: Code.Canceled });
    await untilGone(sandboxes, sandboxId);
  });

  says(
    "(our choice) a command that a signal ends has exit code 128 + its number",
    async (context) => {
      const sandboxId = await running(context);
      for (const [signal, exitCode] of [
        ["TERM", 143],
        ["KILL", 137],
        ["SEGV", 139],
      ] as const) {
        const ended = await sh(context.bed.sandboxes, sandboxId, `kill -${signal} $$; sleep 5`);
        expect(ended.exitCode).toBe(exitCode);
      }
    },
  );

  says(
    "(our choice) what a command leaves in the background is not waited for",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context);
      const script = "sleep 600 & echo $! > pid; echo started";
      expect(await sh(sandboxes, sandboxId, script)).toMatchObject({
        stdout: "started\n",
        exitCode: 0,
      });
      expect(await isAlive(sandboxes, sandboxId)).toBe(true);
      await sandboxes.deleteSandbox({ sandboxId });
    },
  );

  says("Exec on a sandbox that has ended fails with SANDBOX_NOT_RUNNING", async (context) => {
    const { sandboxes } = context.bed;
    const completed = await started(context, { command: "true" });
    await untilEnded(sandboxes, completed.sandboxId);
    const deleted = await running(context);
    await sandboxes.deleteSandbox({ sandboxId: deleted });
    await untilEnded(sandboxes, deleted);
    for (const sandboxId of [completed.sandboxId, deleted]) {
      const refusal = await refusalOf(run(sandboxes, sandboxId, "true"));
      expect(refusal).toMatchObject(NOT_RUNNING);
      expect(refusal.message).toContain(sandboxId);
    }
  });

  says("(our choice) so does Exec on a sandbox that is TERMINATING", async (context) => {
    const { sandboxes } = context.bed;
    const script = `trap 'echo > asked' TERM; ${TELL_PID}; while :; do sleep 0.02; done`;
    const sandboxId = await running(context, { command: "/bin/sh", args: ["-c", script] });
    await untilTold(sandboxes, sandboxId);
    await sandboxes.deleteSandbox({ sandboxId, gracePeriodSeconds: 300 });
    await until(sandboxes, sandboxId, (state) => state === State.TERMINATING);
    expect(await refusalOf(run(sandboxes, sandboxId, "true"))).toMatchObject(NOT_RUNNING);
  });

  says(
    "(our choice) a command that comes while its sandbox starts waits for it",
    async (context) => {
      const { sandboxes } = context.bed;
      const { sandboxId } = await started(context);
      expect(await run(sandboxes, sandboxId, "echo", "there")).toMatchObject({ stdout: "there\n" });
    },
  );

  says(
    "a command that its sandbox's end takes along has an answer all the same",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context);
      const command = ["/bin/sh", "-c", `${TELL_PID}; exec sleep 600`];
      const call = sandboxes.exec({ sandboxId, command }, { timeoutMs: 20_000 });
      await untilTold(sandboxes, sandboxId);
      await sandboxes.deleteSandbox({ sandboxId });
      expect(await call).toMatchObject({ exitCode: 137 });
    },
  );

  says("Exec on an unknown sandbox is NOT_FOUND with SANDBOX_NOT_FOUND", async ({ bed }) => {
    expect(await refusalOf(run(bed.sandboxes, "sb-none", "true"))).toMatchObject({
      code: Code.NotFound,
      reason: ErrorReason.SANDBOX_NOT_FOUND,
    });
  });

  says("commands run side by side", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await running(context);
    // None ends before all have begun.
    const script =
      'echo > "began-$1"; until [ "$(ls began-* | wc -l)" -eq 12 ]; do sleep 0.02; done; echo "$1"';
    const calls = Array.from({ length: 12 }, (_, index) =>
      run(sandboxes, sandboxId, "/bin/sh", "-c", script, "sh", String(index)),
    );
    const outputs = (await Promise.all(calls)).map(({ stdout }) => stdout);
    expect(outputs).toEqual(calls.map((_, index) => `${index}\n`));
  });
});

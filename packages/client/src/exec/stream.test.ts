import { ExecStreamOutput_Stream, type ExecStreamRequest } from "@tidybox/protocol";
import { expect, test } from "vitest";
import { UnavailableError } from "../errors/request-errors.ts";
import { attachSandbox } from "../sandbox/attach.ts";
import { startFaultService } from "../testing/fault-service.ts";

const ready = { message: { case: "ready", value: {} } } as const;
const exit = { message: { case: "exit", value: { exitCode: 0 } } } as const;
const output = (text: string, stream: ExecStreamOutput_Stream) =>
  ({
    message: { case: "output", value: { stream, data: new TextEncoder().encode(text) } },
  }) as const;

test("a command whose connection breaks is never run again", async () => {
  let calls = 0;
  await using service = await startFaultService({
    async *streamExec() {
      calls += 1;
      yield ready;
      yield output("begun", ExecStreamOutput_Stream.STDOUT);
      service.cut();
    },
  });
  const exec = attachSandbox(service.connection, "sb-1").exec(["pay"]);
  await expect(exec).rejects.toThrow(UnavailableError);
  await expect(exec).rejects.toMatchObject({ sandboxId: "sb-1" });
  expect(calls).toBe(1);
});

test("without input sends the command and the end of input, nothing else", async () => {
  const cases: (string | undefined)[] = [];
  await using service = await startFaultService({
    async *streamExec(requests) {
      for await (const { message } of requests) cases.push(message.case);
      yield ready;
      yield exit;
    },
  });
  await attachSandbox(service.connection, "sb-1").exec(["true"]);
  expect(cases).toEqual(["init"]);
});

test("holds input back until the service is ready, then closes it", async () => {
  const seen: string[] = [];
  await using service = await startFaultService({
    async *streamExec(requests: AsyncIterable<ExecStreamRequest>) {
      const messages = requests[Symbol.asyncIterator]();
      seen.push((await messages.next()).value.message.case);
      const early = messages.next();
      const first = await Promise.race([
        early.then(() => "input"),
        new Promise((resolve) => setTimeout(resolve, 50, "nothing")),
      ]);
      seen.push(`${String(first)} before ready`);
      yield ready;
      for (let next = await early; next.done !== true; next = await messages.next()) {
        seen.push(next.value.message.case ?? "");
      }
      yield exit;
    },
  });
  await attachSandbox(service.connection, "sb-1").exec(["cat"], { input: "x" });
  expect(seen).toEqual(["init", "nothing before ready", "stdin", "close"]);
});

test("reads what carries no stream as standard output", async () => {
  await using service = await startFaultService({
    async *streamExec() {
      yield ready;
      yield output("a", ExecStreamOutput_Stream.UNSPECIFIED);
      yield output("b", ExecStreamOutput_Stream.STDERR);
      yield exit;
    },
  });
  const result = await attachSandbox(service.connection, "sb-1").exec(["true"]);
  expect(result).toMatchObject({ stdout: "a", stderr: "b" });
});

test("an end without a status is an error, not a success", async () => {
  await using service = await startFaultService({
    async *streamExec() {
      yield ready;
    },
  });
  await expect(attachSandbox(service.connection, "sb-1").exec(["true"])).rejects.toMatchObject({
    code: "stream_broken",
  });
});

test("an error inside the stream keeps its code", async () => {
  await using service = await startFaultService({
    async *streamExec() {
      yield ready;
      yield {
        message: { case: "error", value: { message: "lost 3 bytes", code: "STREAM_TRUNCATED" } },
      };
    },
  });
  const exec = attachSandbox(service.connection, "sb-1").exec(["true"]);
  await expect(exec).rejects.toMatchObject({
    code: "stream_broken",
    reason: "STREAM_TRUNCATED",
    sandboxId: "sb-1",
  });
  await expect(exec).rejects.toThrow("lost 3 bytes");
});

test("gives the result without waiting for a service that does not end the stream", async () => {
  let cancelled: Promise<unknown> | undefined;
  await using service = await startFaultService({
    async *streamExec(_requests, { signal }) {
      cancelled = new Promise((resolve) =>
        signal.addEventListener("abort", resolve, { once: true }),
      );
      yield ready;
      yield exit;
      await cancelled;
    },
  });
  await expect(attachSandbox(service.connection, "sb-1").exec(["true"])).resolves.toMatchObject({
    exitCode: 0,
  });
  await cancelled;
});

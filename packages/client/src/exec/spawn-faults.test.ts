import { ExecStreamOutput_Stream, type ExecStreamRequest } from "@tidybox/protocol";
import { expect, test } from "vitest";
import { TimeoutError, UnavailableError } from "../errors/request-errors.ts";
import { attachSandbox } from "../sandbox/attach.ts";
import { startFaultService } from "../testing/fault-service.ts";

const ready = { message: { case: "ready", value: {} } } as const;
const exit = { message: { case: "exit", value: { exitCode: 0 } } } as const;
const output = (text: string, stream = ExecStreamOutput_Stream.STDOUT) =>
  ({
    message: { case: "output", value: { stream, data: new TextEncoder().encode(text) } },
  }) as const;

const aborted = (signal: AbortSignal) =>
  new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));

test("a connection that breaks gives what had come, then the error; the command is not run again", async () => {
  let calls = 0;
  await using service = await startFaultService({
    async *streamExec(_requests, { signal }) {
      calls += 1;
      yield ready;
      yield output("begun");
      await aborted(signal);
    },
  });
  const process = await attachSandbox(service.connection, "sb-1").spawn(["pay"], { stdin: "pipe" });
  const reader = process.stdout.getReader();
  expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe("begun");
  service.cut();
  await expect(reader.read()).rejects.toThrow(UnavailableError);
  await expect(process.exitCode).rejects.toMatchObject({ sandboxId: "sb-1" });
  await expect(process.write("x")).rejects.toMatchObject({ code: "command_ended" });
  expect(calls).toBe(1);
});

test("an end without a status is an error, not a success", async () => {
  await using service = await startFaultService({
    async *streamExec() {
      yield ready;
      yield output("half");
    },
  });
  const process = await attachSandbox(service.connection, "sb-1").spawn(["true"]);
  await expect(process.exitCode).rejects.toMatchObject({ code: "stream_broken" });
  await expect(process.text()).rejects.toMatchObject({ code: "stream_broken" });
});

test("is not begun before the service is ready, and gives up on one that never is", async () => {
  let given: Promise<unknown> | undefined;
  await using service = await startFaultService({
    async *streamExec(_requests, { signal }) {
      given = aborted(signal);
      await given;
      yield exit;
    },
  });
  const spawn = attachSandbox(service.connection, "sb-1").spawn(["true"]);
  await expect(spawn).rejects.toThrow(TimeoutError);
  await expect(spawn).rejects.toMatchObject({ sandboxId: "sb-1" });
  await given;
}, 20_000);

test("sends no more than the command without input or a terminal, and ends its half", async () => {
  const cases: (string | undefined)[] = [];
  await using service = await startFaultService({
    async *streamExec(requests: AsyncIterable<ExecStreamRequest>) {
      for await (const { message } of requests) cases.push(message.case);
      yield ready;
      yield exit;
    },
  });
  const process = await attachSandbox(service.connection, "sb-1").spawn(["true"]);
  expect(await process.exitCode).toBe(0);
  expect(cases).toEqual(["init"]);
});

test("a terminal that nobody types into stays open, and is told its size", async () => {
  const seen: unknown[] = [];
  await using service = await startFaultService({
    async *streamExec(requests: AsyncIterable<ExecStreamRequest>) {
      const messages = requests[Symbol.asyncIterator]();
      seen.push((await messages.next()).value.message.value);
      yield ready;
      seen.push((await messages.next()).value.message);
      yield exit;
    },
  });
  const process = await attachSandbox(service.connection, "sb-1").spawn(["top"], { tty: true });
  process.resize({ columns: 132, rows: 43 });
  expect(await process.exitCode).toBe(0);
  expect(seen).toMatchObject([
    { tty: true, ttyWidth: 80, ttyHeight: 24 },
    { case: "resize", value: { width: 132, height: 43 } },
  ]);
});

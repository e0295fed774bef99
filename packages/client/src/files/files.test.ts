import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { ErrorReason, ExecStreamResponseSchema } from "@tidybox/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FileError } from "../errors/sandbox-errors.ts";
import { attachSandbox } from "../sandbox/attach.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import { refusal, startFaultService } from "../testing/fault-service.ts";
import { type TestService, startTestService } from "../testing/local-service.ts";

const MEBIBYTE = 1024 * 1024;

let service: TestService;
let sandbox: Sandbox;
beforeAll(async () => {
  service = await startTestService();
  sandbox = await Sandbox.run({ connection: service.connection });
});
afterAll(async () => service?.[Symbol.asyncDispose]());

test("writes and reads text, bytes, nothing, and over what was there", async () => {
  await sandbox.writeFile("/tmp/it's a file", "héllo\uFEFF\n");
  expect(await sandbox.readTextFile("/tmp/it's a file")).toBe("héllo\uFEFF\n");
  await sandbox.writeFile("/tmp/it's a file", "");
  expect(await sandbox.readFile("/tmp/it's a file")).toHaveLength(0);
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
  await sandbox.writeFile("/tmp/bytes", bytes);
  expect(await sandbox.readFile("/tmp/bytes")).toEqual(bytes);
});

test("moves what no message carries, and leaves nothing beside it", async () => {
  const content = new Uint8Array(33 * MEBIBYTE).map((_, index) => index % 251);
  await sandbox.writeFile("/tmp/large.bin", content);
  expect(Buffer.compare(await sandbox.readFile("/tmp/large.bin"), content)).toBe(0);
  expect((await sandbox.exec(["sh", "-c", "ls /tmp | grep -c large"])).stdout).toBe("1\n");
}, 60_000);

test("tells why a file cannot be read", async () => {
  await expect(sandbox.readFile("/tmp/none")).rejects.toThrow(FileError);
  await expect(sandbox.readFile("/tmp/none")).rejects.toMatchObject({
    code: "file_error",
    path: "/tmp/none",
    sandboxId: sandbox.id,
    reason: ErrorReason.FILE_NOT_FOUND,
  });
  await expect(sandbox.readFile("/tmp")).rejects.toMatchObject({
    reason: ErrorReason.FILE_IS_DIRECTORY,
  });
  await expect(sandbox.readFile("")).rejects.toThrow(/Option path/);
});

test("refuses what one call cannot move before sending any of it", async () => {
  const huge = new Uint8Array(256 * MEBIBYTE + 1);
  await expect(sandbox.writeFile("/tmp/huge", huge)).rejects.toMatchObject({
    reason: ErrorReason.FILE_TOO_LARGE,
  });
});

const tooLarge = () =>
  refusal(Code.FailedPrecondition, ErrorReason.FILE_TOO_LARGE, {
    metadata: { filepath: "/f", operation: "read", size_bytes: "10", max_size_bytes: "4" },
  });
/** A command that prints that, whatever it is. */
const printing = (stdout: string) =>
  async function* () {
    yield create(ExecStreamResponseSchema, { message: { case: "ready", value: {} } });
    const data = new TextEncoder().encode(stdout);
    yield create(ExecStreamResponseSchema, { message: { case: "output", value: { data } } });
    yield create(ExecStreamResponseSchema, { message: { case: "exit", value: { exitCode: 0 } } });
  };

test("fewer bytes than announced are an error", async () => {
  await using faulty = await startFaultService({
    readFile: () => {
      throw tooLarge();
    },
    streamExec: printing("only 6"),
  });
  await expect(attachSandbox(faulty.connection, "sb-1").readFile("/f")).rejects.toMatchObject({
    reason: ErrorReason.FILE_TRUNCATED,
    metadata: { size_bytes: "10", bytes_delivered: "6" },
  });
});

test("remembers the service's cap", async () => {
  let unary = 0;
  await using faulty = await startFaultService({
    writeFile: () => {
      unary += 1;
      throw tooLarge();
    },
    streamExec: printing(""),
  });
  const small = attachSandbox(faulty.connection, "sb-1");
  await small.writeFile("/f", "0123456789");
  await small.writeFile("/f", "0123456789");
  expect(unary).toBe(1);
});

test("streams around a message limit on the way", async () => {
  await using faulty = await startFaultService({
    readFile: () => {
      throw refusal(Code.ResourceExhausted);
    },
    streamExec: printing("7"),
  });
  // The same answer serves the probe, which says 7 bytes, and the read, which has one.
  await expect(attachSandbox(faulty.connection, "sb-1").readFile("/f")).rejects.toMatchObject({
    reason: ErrorReason.FILE_TRUNCATED,
  });
});

test("a write is never sent twice", async () => {
  let calls = 0;
  await using faulty = await startFaultService({
    writeFile: () => {
      calls += 1;
      throw refusal(Code.Unavailable);
    },
  });
  await expect(attachSandbox(faulty.connection, "sb-1").writeFile("/f", "x")).rejects.toMatchObject(
    {
      code: "unavailable",
    },
  );
  expect(calls).toBe(1);
});

import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import {
  ErrorReason,
  ExecStreamOutput_Stream,
  type ExecStreamRequest,
  ExecStreamResponseSchema,
} from "@tidybox/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FileError, FilesError } from "../errors/sandbox-errors.ts";
import { UnavailableError } from "../errors/request-errors.ts";
import { attachSandbox } from "../sandbox/attach.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import { Connection } from "../connection/connection.ts";
import { startFaultProxy } from "../testing/fault-proxy.ts";
import { startFaultService } from "../testing/fault-service.ts";
import { type TestService, startTestService } from "../testing/local-service.ts";

const MEBIBYTE = 1024 * 1024;
const pause = (milliseconds: number) => new Promise((go) => setTimeout(go, milliseconds));

let service: TestService;
let sandbox: Sandbox;
beforeAll(async () => {
  service = await startTestService();
  sandbox = await Sandbox.run({ connection: service.connection });
});
afterAll(async () => service?.[Symbol.asyncDispose]());

async function* pieces(count: number, sizeBytes = MEBIBYTE): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < count; index += 1) yield new Uint8Array(sizeBytes).fill(index);
}

/** Names beside a file, once they do not change any more. */
const beside = async (folder: string): Promise<string> =>
  (await sandbox.exec(["ls", "-A", folder], { check: true })).stdout;

test("moves more than any message both ways, without holding it", async () => {
  const hash = createHash("sha256");
  const before = process.memoryUsage().rss;
  let most = before;
  async function* source() {
    for await (const piece of pieces(300)) {
      hash.update(piece);
      most = Math.max(most, process.memoryUsage().rss);
      yield piece;
    }
  }
  await sandbox.writeFile("/tmp/large/new/file", source());
  const back = createHash("sha256");
  for await (const data of sandbox.readFileStream("/tmp/large/new/file")) {
    back.update(data);
    most = Math.max(most, process.memoryUsage().rss);
  }
  expect(back.digest("hex")).toBe(hash.digest("hex"));
  expect(await beside("/tmp/large/new")).toBe("file\n");
  expect(most - before).toBeLessThan(160 * MEBIBYTE);
  await sandbox.exec(["rm", "-r", "/tmp/large"], { check: true });
}, 120_000);

test("takes a web stream, texts, and nothing at all", async () => {
  await sandbox.writeFile("/tmp/web", new Response("héllo").body ?? "");
  expect(await sandbox.readTextFile("/tmp/web")).toBe("héllo");
  await sandbox.writeFile("/tmp/web", (async function* () {})());
  expect(await sandbox.readTextFile("/tmp/web")).toBe("");
  async function* texts() {
    yield "ü";
    yield "-";
    yield new Uint8Array([0x78]);
  }
  await sandbox.writeFile("/tmp/web", texts());
  expect(await sandbox.readTextFile("/tmp/web")).toBe("ü-x");
  async function* wrong() {
    yield 7 as unknown as string;
  }
  await expect(sandbox.writeFile("/tmp/web", wrong())).rejects.toThrow(/gave number/);
});

test("a source that throws leaves the old file, nothing beside it, and is let go of", async () => {
  await sandbox.writeFile("/tmp/kept/file", "old");
  const reason = new Error("the source broke");
  let released = false;
  async function* broken() {
    try {
      yield* pieces(3);
      throw reason;
    } finally {
      released = true;
    }
  }
  await expect(sandbox.writeFile("/tmp/kept/file", broken())).rejects.toBe(reason);
  expect(released).toBe(true);
  expect(await sandbox.readTextFile("/tmp/kept/file")).toBe("old");
  expect(await beside("/tmp/kept")).toBe("file\n");
});

test("given up in the middle, leaves the old file and lets go of its source", async () => {
  await sandbox.writeFile("/tmp/given-up/file", "old");
  const giveUp = new AbortController();
  const reason = new Error("enough");
  let released = false;
  async function* endless() {
    try {
      for (;;) {
        yield new Uint8Array(MEBIBYTE);
        await pause(5);
      }
    } finally {
      released = true;
    }
  }
  const write = sandbox.writeFile("/tmp/given-up/file", endless(), { signal: giveUp.signal });
  while (!(await beside("/tmp/given-up")).includes(".tmp.")) await pause(10);
  giveUp.abort(reason);
  await expect(write).rejects.toBe(reason);
  expect(released).toBe(true);
  expect(await sandbox.readTextFile("/tmp/given-up/file")).toBe("old");
  expect(await beside("/tmp/given-up")).toBe("file\n");
});

test("a connection cut in the middle of a write leaves the old file and nothing beside it", async () => {
  await using proxy = await startFaultProxy(service.baseUrl);
  using connection = new Connection({ baseUrl: proxy.baseUrl, apiKey: service.apiKey });
  const behind = attachSandbox(connection, sandbox.id);
  for (const large of [false, true]) {
    await sandbox.writeFile("/tmp/cut/file", "old");
    proxy.after(8 * MEBIBYTE, "up", proxy.cut);
    const content = large ? new Uint8Array(40 * MEBIBYTE) : pieces(40);
    await expect(behind.writeFile("/tmp/cut/file", content)).rejects.toThrow(UnavailableError);
    expect(await sandbox.readTextFile("/tmp/cut/file")).toBe("old");
    expect(await beside("/tmp/cut")).toBe("file\n");
  }
});

test("a connection cut in the middle of a read is an error after what had come", async () => {
  await sandbox.exec(["sh", "-c", "head -c 40000000 /dev/zero >/tmp/zeros"], { check: true });
  await using proxy = await startFaultProxy(service.baseUrl);
  using connection = new Connection({ baseUrl: proxy.baseUrl, apiKey: service.apiKey });
  const behind = attachSandbox(connection, sandbox.id);
  proxy.after(8 * MEBIBYTE, "down", proxy.cut);
  let bytes = 0;
  const reading = async () => {
    for await (const data of behind.readFileStream("/tmp/zeros")) bytes += data.byteLength;
  };
  await expect(reading()).rejects.toThrow(UnavailableError);
  expect(bytes).toBeGreaterThan(0);
  expect(bytes).toBeLessThan(40_000_000);
});

test("a file that becomes shorter while it is read is an error; one that grows is not", async () => {
  await sandbox.exec(["sh", "-c", "head -c 64000000 /dev/zero >/tmp/changing"], { check: true });
  const reader = sandbox.readFileStream("/tmp/changing").getReader();
  let bytes = (await reader.read()).value?.byteLength ?? 0;
  await sandbox.exec(["truncate", "-s", "10000000", "/tmp/changing"], { check: true });
  const rest = async () => {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      bytes += next.value.byteLength;
    }
  };
  const failure: unknown = await rest().catch((error: unknown) => error);
  expect(failure).toMatchObject({
    reason: ErrorReason.FILE_TRUNCATED,
    path: "/tmp/changing",
    metadata: { size_bytes: "64000000", bytes_delivered: String(bytes) },
  });
  let grown = 0;
  for await (const data of sandbox.readFileStream("/tmp/changing")) {
    if (grown === 0) {
      await sandbox.exec(["sh", "-c", "echo more >>/tmp/changing"], { check: true });
    }
    grown += data.byteLength;
  }
  expect(grown).toBe(10_000_005);
});

test("tells why a stream cannot be read or written", async () => {
  const read = (path: string) => new Response(bodyOf(sandbox.readFileStream(path))).text();
  await expect(read("/tmp/none")).rejects.toThrow(FileError);
  await expect(read("/tmp/none")).rejects.toMatchObject({
    code: "file_error",
    path: "/tmp/none",
    reason: ErrorReason.FILE_NOT_FOUND,
    sandboxId: sandbox.id,
  });
  await expect(read("/tmp")).rejects.toMatchObject({ reason: ErrorReason.FILE_IS_DIRECTORY });
  // The size of what the kernel makes up is 0, and says nothing.
  expect(await read("/proc/self/comm")).toBe("cat\n");
  await expect(sandbox.writeFile("/tmp", pieces(1))).rejects.toMatchObject({
    reason: ErrorReason.FILE_IS_DIRECTORY,
    path: "/tmp",
  });
  await expect(sandbox.writeFile("/proc/none/file", pieces(1))).rejects.toMatchObject({
    reason: ErrorReason.FILE_IO_FAILED,
    path: "/proc/none/file",
  });
  expect(() => sandbox.readFileStream("")).toThrow(/Option path/);
});

test("a reader that leaves ends the command; one that never comes starts none", async () => {
  let calls = 0;
  let cancelled: Promise<unknown> | undefined;
  await using faulty = await startFaultService({
    async *streamExec(_requests, { signal }) {
      calls += 1;
      cancelled = new Promise((resolve) =>
        signal.addEventListener("abort", resolve, { once: true }),
      );
      yield { message: { case: "ready", value: {} } } as const;
      const value = { stream: ExecStreamOutput_Stream.STDOUT, data: new Uint8Array(10) };
      yield { message: { case: "output", value } } as const;
      await cancelled;
    },
  });
  const attached = attachSandbox(faulty.connection, "sb-1");
  const stream = attached.readFileStream("/f");
  await pause(20);
  expect(calls).toBe(0);
  for await (const data of stream) {
    expect(data).toHaveLength(10);
    break;
  }
  await cancelled;
});

test("a size that does not match what was sent replaces nothing", async () => {
  const commands: string[] = [];
  await using faulty = await startFaultService({
    async *streamExec(requests: AsyncIterable<ExecStreamRequest>) {
      const messages = requests[Symbol.asyncIterator]();
      const { message } = (await messages.next()).value as ExecStreamRequest;
      const name = message.case === "init" ? message.value.command[3] : undefined;
      commands.push(name ?? "");
      yield create(ExecStreamResponseSchema, { message: { case: "ready", value: {} } });
      const exitCode = name === "tidybox-commit-file" ? 1 : 0;
      yield create(ExecStreamResponseSchema, { message: { case: "exit", value: { exitCode } } });
    },
  });
  const attached = attachSandbox(faulty.connection, "sb-1");
  await expect(attached.writeFile("/f", (async function* () {})())).rejects.toThrow(FileError);
  expect(commands).toEqual(["tidybox-receive-file", "tidybox-commit-file", "tidybox-remove-file"]);
});

test("several files at once, and one error that names those that failed", async () => {
  const files = Object.fromEntries(
    Array.from({ length: 30 }, (_, index) => [`/tmp/many/${index}`, `content ${index}`]),
  );
  await sandbox.writeFiles(files);
  const back = await sandbox.readFiles(Object.keys(files));
  expect([...back.keys()]).toEqual(Object.keys(files));
  expect(Buffer.from(back.get("/tmp/many/7") ?? []).toString()).toBe("content 7");
  expect((await sandbox.readFiles([])).size).toBe(0);

  const reading = sandbox.readFiles(["/tmp/many/1", "/tmp/none", "/tmp", "/tmp/many/2"]);
  await expect(reading).rejects.toThrow(FilesError);
  await expect(reading).rejects.toThrow(FileError);
  await expect(reading).rejects.toThrow(/2 of 4 files.*"\/tmp\/none": .*"\/tmp": /s);
  await expect(reading).rejects.toMatchObject({
    code: "file_error",
    path: "/tmp/none",
    reason: ErrorReason.FILE_NOT_FOUND,
    failures: [
      { path: "/tmp/none", error: { reason: ErrorReason.FILE_NOT_FOUND } },
      { path: "/tmp", error: { reason: ErrorReason.FILE_IS_DIRECTORY } },
    ],
  });
  const writing = sandbox.writeFiles({ "/tmp": "x", "/tmp/many/written": "y" });
  await expect(writing).rejects.toMatchObject({ failures: [{ path: "/tmp" }] });
  expect(await sandbox.readTextFile("/tmp/many/written")).toBe("y");
  const reason = new Error("enough");
  await expect(
    sandbox.readFiles(["/tmp/many/1"], { signal: AbortSignal.abort(reason) }),
  ).rejects.toBe(reason);
});

function bodyOf(
  stream: ReturnType<Sandbox["readFileStream"]>,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  return stream as ReadableStream<Uint8Array<ArrayBuffer>>;
}

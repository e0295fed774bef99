import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import {
  ErrorReason,
  LogEntrySchema,
  LogStreamErrorCode,
  State,
  type StreamLogsRequest,
} from "@tidybox/protocol";
import { expect, test } from "vitest";
import { LogInterruptedError } from "../errors/log-errors.ts";
import { NotFoundError, UnavailableError } from "../errors/request-errors.ts";
import { SandboxFailedError } from "../errors/sandbox-errors.ts";
import { attachSandbox } from "../sandbox/attach.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import { refusal, sandboxRecord, startFaultService } from "../testing/fault-service.ts";

/** One stream after the other: texts are sent, codes are the error in it, functions run. */
type Script = readonly (string | { readonly error: string } | (() => void))[];

/** Sessions `s0`, `s1`, …: a new one for each stream that does not resume. */
async function startLogService(streams: readonly Script[]) {
  const requests: StreamLogsRequest[] = [];
  let sessions = 0;
  const service = await startFaultService({
    async *streamLogs(request) {
      const script = streams[requests.length];
      requests.push(request);
      if (script === undefined) throw refusal(Code.PermissionDenied);
      const logSessionId = request.resumeLogSessionId || `s${sessions++}`;
      let offset = request.resumeLogOffset;
      for (const step of script) {
        if (typeof step === "function") {
          step();
          continue;
        }
        const data = typeof step === "string" ? Buffer.from(step) : Buffer.alloc(0);
        offset += BigInt(data.length);
        const error = typeof step === "string" ? undefined : { code: step.error, message: "m" };
        const entry = { data, logSessionId, nextLogOffset: offset, ...(error && { error }) };
        yield create(LogEntrySchema, entry);
      }
    },
  });
  const sandbox = attachSandbox(service.connection, sandboxRecord(State.RUNNING));
  const read = (options = {}) => sandbox.logs({ follow: true, ...options }).text();
  const asked = () =>
    requests.map(({ resumeLogSessionId, resumeLogOffset }) =>
      resumeLogSessionId === "" ? "afresh" : `${resumeLogSessionId}@${resumeLogOffset}`,
    );
  return Object.assign(service, { read, asked, requests });
}

const passing = (): never => {
  throw refusal(Code.Unavailable, "", { retryNanos: 1e6 });
};

test.for([
  ["UNAVAILABLE", passing],
  [
    "INTERNAL",
    () => {
      throw refusal(Code.Internal, "", { retryNanos: 1e6 });
    },
  ],
  [
    "UNKNOWN",
    () => {
      throw refusal(Code.Unknown, "", { retryNanos: 1e6 });
    },
  ],
] as const)(
  "resumes after %s with session and offset, and without the window",
  async ([, fails]) => {
    await using service = await startLogService([["abc", fails], ["def", fails], ["g"]]);
    expect(await service.read({ tailLines: 5, timestamps: true })).toBe("abcdefg");
    expect(service.asked()).toEqual(["afresh", "s0@3", "s0@6"]);
    const [first, second] = service.requests;
    expect(first).toMatchObject({ follow: true, tailLines: 5, timestamps: true });
    expect(second).toMatchObject({ follow: true, tailLines: 0, timestamps: false });
  },
);

test("resumes when the service interrupts it", async () => {
  const interrupted = { error: LogStreamErrorCode.STREAM_INTERRUPTED };
  await using service = await startLogService([["abc", interrupted], ["def"]]);
  expect(await service.read()).toBe("abcdef");
  expect(service.asked()).toEqual(["afresh", "s0@3"]);
});

test.for([
  LogStreamErrorCode.SESSION_NOT_FOUND,
  LogStreamErrorCode.RUNNER_UNAVAILABLE,
  LogStreamErrorCode.RUNNER_DRAINING,
])("begins afresh after %s, and goes on where it was", async (error) => {
  await using service = await startLogService([
    ["abc", { error }],
    ["a", "bcd", "e"],
  ]);
  expect(await service.read()).toBe("abcde");
  expect(service.asked()).toEqual(["afresh", "afresh"]);
});

test("a beginning that comes again may break, too", async () => {
  await using service = await startLogService([
    ["abcdef", { error: LogStreamErrorCode.SESSION_NOT_FOUND }],
    ["abc", passing],
    ["de", passing],
    ["fg"],
  ]);
  expect(await service.read()).toBe("abcdefg");
  expect(service.asked()).toEqual(["afresh", "afresh", "s1@3", "s1@5"]);
});

test.for([
  ["another beginning", ["abd", "x"]],
  ["a beginning that is cut", ["ab"]],
] as const)("%s is an error, not a gap", async ([, second]) => {
  await using service = await startLogService([
    ["abc", { error: LogStreamErrorCode.SESSION_NOT_FOUND }],
    second,
  ]);
  const reading = service.read();
  await expect(reading).rejects.toThrow(LogInterruptedError);
  await expect(reading).rejects.toMatchObject({ code: "log_interrupted", deliveredBytes: 3 });
});

test.for([
  LogStreamErrorCode.REPLAY_GAP,
  LogStreamErrorCode.INVALID_RESUME_OFFSET,
  LogStreamErrorCode.STREAM_TRUNCATED,
  "SOMETHING_NEW",
])("%s in the middle is an error that says so, at once", async (error) => {
  await using service = await startLogService([["abc", { error }]]);
  const reading = service.read();
  await expect(reading).rejects.toThrow(LogInterruptedError);
  await expect(reading).rejects.toMatchObject({
    reason: error,
    deliveredBytes: 3,
    sandboxId: "sb-1",
    message: expect.stringContaining("after 3 bytes"),
  });
  expect(service.asked()).toEqual(["afresh"]);
});

test("the last lines cannot come again: another session of them is an error", async () => {
  const error = LogStreamErrorCode.SESSION_NOT_FOUND;
  await using service = await startLogService([["abc", { error }]]);
  await expect(service.read({ tailLines: 3 })).rejects.toThrow(LogInterruptedError);
  expect(service.asked()).toEqual(["afresh"]);
});

test("where nothing was read yet, every loss that passes is mended", async () => {
  await using service = await startLogService([
    [{ error: LogStreamErrorCode.REPLAY_GAP }],
    [{ error: LogStreamErrorCode.RUNNER_DRAINING }],
    ["abc"],
  ]);
  expect(await service.read({ tailLines: 3 })).toBe("abc");
});

test("an error that stays is the plain one before the first byte", async () => {
  const error = LogStreamErrorCode.SANDBOX_NOT_FOUND;
  await using service = await startLogService([[{ error }]]);
  await expect(service.read()).rejects.toThrow(NotFoundError);
});

test("gives up after three tries in a row without anything new", async () => {
  await using service = await startLogService([
    ["a", passing],
    [passing],
    [passing],
    ["b", passing],
    [passing],
    [passing],
    [passing],
    ["c"],
  ]);
  const reading = service.read();
  await expect(reading).rejects.toThrow(LogInterruptedError);
  await expect(reading).rejects.toMatchObject({ deliveredBytes: 2 });
  expect(service.asked()).toHaveLength(7);
  await using silent = await startLogService(Array.from({ length: 9 }, () => [passing]));
  await expect(silent.read()).rejects.toThrow(UnavailableError);
  expect(silent.asked()).toHaveLength(4);
});

test("a sandbox that ended while the connection was broken is an error, not an end", async () => {
  await using service = await startLogService([
    ["abc", passing],
    [
      () => {
        throw refusal(Code.FailedPrecondition, ErrorReason.SANDBOX_NOT_RUNNING);
      },
    ],
  ]);
  await expect(service.read()).rejects.toMatchObject({
    code: "log_interrupted",
    reason: ErrorReason.SANDBOX_NOT_RUNNING,
  });
});

test("offsets that show a loss are an error", async () => {
  await using service = await startFaultService({
    async *streamLogs() {
      yield { data: Buffer.from("abc"), logSessionId: "s", nextLogOffset: 3n };
      yield { data: Buffer.from("ghi"), logSessionId: "s", nextLogOffset: 9n };
    },
  });
  const logs = attachSandbox(service.connection, "sb-1").logs({ follow: true });
  await expect(logs.text()).rejects.toMatchObject({ deliveredBytes: 3 });
});

test("without follow, reads again what broke, and hands on what is new", async () => {
  await using service = await startLogService([["abc", passing], ["abcdef"]]);
  expect(await service.read({ follow: false })).toBe("abcdef");
  expect(service.asked()).toEqual(["afresh", "afresh"]);
});

test("a failed start shows the last 20 lines, and obeys none of them", async () => {
  let printed: () => void = () => {};
  const read = new Promise<void>((resolve) => (printed = resolve));
  const lines = Array.from({ length: 30 }, (_, index) => `line ${index}`);
  await using service = await startFaultService({
    createSandbox: () => sandboxRecord(State.CREATING),
    getSandbox: async () => {
      await read;
      return sandboxRecord(State.FAILED, "sb-1", "main ended");
    },
    async *streamLogs() {
      const data = Buffer.from(`${lines.join("\n")}\n\u001b[2J\u202e\r\n`);
      yield { data, logSessionId: "s", nextLogOffset: BigInt(data.length) };
      printed();
    },
  });
  const start = Sandbox.run(["serve"], { connection: service.connection });
  await expect(start).rejects.toThrow(SandboxFailedError);
  await expect(start).rejects.toMatchObject({
    stateReason: "main ended",
    lastLogLines: [...lines.slice(-19), "\\x1b[2J\\u{202e}"],
  });
  await expect(start).rejects.toThrow(/line 29\n {2}\\x1b\[2J\\u\{202e\}\n/);
});

test("a failed start of the keep-alive, or without a log, fails as it did", async () => {
  let asked = 0;
  await using service = await startFaultService({
    createSandbox: () => sandboxRecord(State.CREATING),
    getSandbox: () => sandboxRecord(State.FAILED, "sb-1", "no image"),
    // oxlint-disable-next-line require-yield -- it refuses before the first item
    async *streamLogs() {
      asked += 1;
      throw refusal(Code.FailedPrecondition, ErrorReason.SANDBOX_NOT_RUNNING);
    },
  });
  const { connection } = service;
  const failed = { stateReason: "no image", lastLogLines: [] };
  await expect(Sandbox.run({ connection })).rejects.toMatchObject(failed);
  expect(asked).toBe(0);
  await expect(Sandbox.run(["serve"], { connection })).rejects.toMatchObject(failed);
});

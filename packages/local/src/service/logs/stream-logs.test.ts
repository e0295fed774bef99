import { timestampDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import {
  ErrorReason,
  KEEP_ALIVE_COMMAND,
  type LogEntry,
  LogStreamErrorCode,
  State,
} from "@tidybox/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createRunning,
  eventually,
  refusalOf,
  sh,
  specOf,
  startTestService,
  type TestService,
  until,
  untilEnded,
} from "../../testing/test-service.ts";
import { testedEngines } from "../../testing/tested-engines.ts";

type Request = Parameters<TestService["client"]["streamLogs"]>[0];

const main = (script: string) => specOf({ command: "/bin/sh", args: ["-c", script] });
const textOf = (entries: readonly LogEntry[]): string =>
  Buffer.concat(entries.map(({ data }) => data)).toString();

describe.each(testedEngines)("logs with the engine %s", (engine) => {
  let service: TestService;
  beforeAll(async () => {
    service = await startTestService({ engine });
  });
  afterAll(() => service.close());

  async function read(request: Request): Promise<LogEntry[]> {
    const entries: LogEntry[] = [];
    for await (const entry of service.client.streamLogs(request)) entries.push(entry);
    return entries;
  }

  /** Entries until `enough` holds, then the stream is left. */
  async function readUntil(request: Request, enough: (text: string) => boolean) {
    const leave = new AbortController();
    const entries: LogEntry[] = [];
    for await (const entry of service.client.streamLogs(request, { signal: leave.signal })) {
      entries.push(entry);
      if (enough(textOf(entries))) break;
    }
    leave.abort();
    return entries;
  }

  /** Runs on when it has printed, so that its log can be read. */
  async function printed(script: string): Promise<string> {
    const sandboxId = await createRunning(service.client, main(`${script}; echo end; sleep 600`));
    await readUntil({ sandboxId, follow: true }, (text) => text.endsWith("end\n"));
    return sandboxId;
  }

  test("has what the main process prints, and nothing of commands", async () => {
    const sandboxId = await printed("echo out; sleep 0.1; echo err >&2; sleep 0.1; printf part");
    await sh(service.client, sandboxId, "echo command; echo command >&2");
    const entries = await read({ sandboxId });
    expect(textOf(entries)).toBe("out\nerr\npartend\n");
    expect(new Set(entries.map(({ logSessionId }) => logSessionId)).size).toBe(1);
    expect(entries[0]?.logSessionId).not.toBe("");
    let offset = 0n;
    for (const { data, nextLogOffset, timestamp } of entries) {
      offset += BigInt(data.length);
      expect(nextLogOffset).toBe(offset);
      expect(timestamp).toBeDefined();
    }
  });

  test("begins where it is told to", async () => {
    const sandboxId = await printed("echo 1; echo 2; sleep 0.3; echo 3");
    expect(textOf(await read({ sandboxId, tailLines: 2 }))).toBe("3\nend\n");
    const stamped = textOf(await read({ sandboxId, timestamps: true })).split("\n");
    expect(stamped.map((line) => line.slice(25))).toEqual(["1", "2", "3", "end", ""]);
    const times = stamped.slice(0, -1).map((line) => new Date(line.slice(0, 24)).getTime());
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    const third = times[2] ?? 0;
    expect(textOf(await read({ sandboxId, sinceTime: timestampFromMs(third) }))).toBe("3\nend\n");
    const both = { sandboxId, sinceTime: timestampFromMs(third), tailLines: 1, timestamps: true };
    expect(textOf(await read(both))).toMatch(/^\S{24} end\n$/);
    const [entry] = await read({ sandboxId, tailLines: 2 });
    expect(entry?.timestamp && timestampDate(entry.timestamp).getTime()).toBe(third);
    const later = timestampFromMs(Date.now() + 60_000);
    expect(await read({ sandboxId, sinceTime: later })).toEqual([]);
  });

  test("followed from the creation on, has everything, and ends with the main process", async () => {
    const { sandboxId } = await service.client.createSandbox({
      sandbox: { spec: main("echo first; sleep 0.2; echo last; exit 3") },
    });
    expect(textOf(await read({ sandboxId, follow: true }))).toBe("first\nlast\n");
    expect((await untilEnded(service.client, sandboxId)).status?.exitCode).toBe(3);
  });

  test("followed while it is stopped, has the last words too", async () => {
    const script = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
    const sandboxId = await createRunning(service.client, main(script));
    const following = read({ sandboxId, follow: true });
    await readUntil({ sandboxId, follow: true }, (text) => text === "ready\n");
    await service.client.deleteSandbox({ sandboxId, gracePeriodSeconds: 60 });
    expect(textOf(await following)).toBe("ready\nbye\n");
  });

  test("of one that is stopping or has ended is refused", async () => {
    const script = "trap 'echo bye' TERM; echo ready; while :; do sleep 0.05; done";
    const sandboxId = await createRunning(service.client, main(script));
    await readUntil({ sandboxId, follow: true }, (text) => text === "ready\n");
    await service.client.deleteSandbox({ sandboxId, gracePeriodSeconds: 300 });
    await until(service.client, sandboxId, (state) => state === State.TERMINATING);
    const refused = { code: Code.FailedPrecondition, reason: ErrorReason.SANDBOX_NOT_RUNNING };
    expect(await refusalOf(read({ sandboxId, follow: true }))).toMatchObject(refused);
    await service.client.deleteSandbox({ sandboxId });
    await untilEnded(service.client, sandboxId);
    expect(await refusalOf(read({ sandboxId }))).toMatchObject(refused);
    const resume = { sandboxId, follow: true, resumeLogSessionId: "log-none" };
    expect(await refusalOf(read(resume))).toMatchObject(refused);
  });

  test.for([false, true])("goes on where a stream was left, timestamps: %s", async (timestamps) => {
    const script = "for i in 1 2 3 4 5 6; do echo line $i; sleep 0.1; done; sleep 600";
    const sandboxId = await createRunning(service.client, main(script));
    const whole = await readUntil({ sandboxId, follow: true, timestamps }, (text) =>
      text.endsWith("6\n"),
    );
    const expected = textOf(whole);
    const resumeLogSessionId = whole[0]?.logSessionId ?? "";
    for (const at of [0, 1, 3, 26, 40, expected.length - 1]) {
      const request = { sandboxId, follow: true, resumeLogSessionId, resumeLogOffset: BigInt(at) };
      const rest = await readUntil(request, (text) => text.length >= expected.length - at);
      expect(textOf(rest)).toBe(expected.slice(at));
      expect(rest.at(-1)?.nextLogOffset).toBe(BigInt(expected.length));
      expect(rest[0]?.logSessionId).toBe(resumeLogSessionId);
    }
  });

  test("goes on after the end of the sandbox, for who was there before", async () => {
    const sandboxId = await createRunning(service.client, main("sleep 0.3; echo a; echo b"));
    const [first] = await readUntil({ sandboxId, follow: true }, (text) => text !== "");
    await untilEnded(service.client, sandboxId);
    const resumeLogSessionId = first?.logSessionId ?? "";
    const request = { sandboxId, follow: true, resumeLogSessionId, resumeLogOffset: 1n };
    expect(textOf(await read(request))).toBe("\nb\n");
  });

  test("tells a session that is not there, and an offset that cannot be", async () => {
    const sandboxId = await printed("echo 1");
    const other = await createRunning(service.client);
    const [entry] = await read({ sandboxId });
    const resumeLogSessionId = entry?.logSessionId ?? "";
    const errorOf = async (request: Request) => (await read(request)).at(-1)?.error;
    const unknown = { sandboxId, follow: true, resumeLogSessionId: "log-none" };
    const foreign = { sandboxId: other, follow: true, resumeLogSessionId };
    for (const request of [unknown, foreign]) {
      expect(await errorOf(request)).toMatchObject({ code: LogStreamErrorCode.SESSION_NOT_FOUND });
    }
    const beyond = { sandboxId, follow: true, resumeLogSessionId, resumeLogOffset: 999n };
    expect(await errorOf(beyond)).toMatchObject({
      code: LogStreamErrorCode.INVALID_RESUME_OFFSET,
    });
  });

  test("refuses what goes against itself, by the name of the field", async () => {
    const sandboxId = await createRunning(service.client);
    const resumed = { sandboxId, follow: true, resumeLogSessionId: "log-1" };
    const wrong: readonly (readonly [Request, string])[] = [
      [{ sandboxId, tailLines: -1 }, "tail_lines"],
      [{ sandboxId, resumeLogOffset: 1n }, "resume_log_offset"],
      [{ ...resumed, follow: false }, "follow"],
      [{ ...resumed, tailLines: 1 }, "tail_lines"],
      [{ ...resumed, timestamps: true }, "timestamps"],
      [{ ...resumed, sinceTime: timestampFromMs(1) }, "since_time"],
      [{ sandboxId, container: "other" }, "container"],
    ];
    for (const [request, field] of wrong) {
      const refused = { code: Code.InvalidArgument, message: expect.stringContaining(field) };
      expect(await refusalOf(read(request))).toMatchObject(refused);
    }
    const unknown = { code: Code.NotFound, reason: ErrorReason.SANDBOX_NOT_FOUND };
    expect(await refusalOf(read({ sandboxId: "sb-none" }))).toMatchObject(unknown);
  });

  test("of a keep-alive is silent, and ends with it", async () => {
    const [command, ...args] = KEEP_ALIVE_COMMAND;
    const sandboxId = await createRunning(service.client, specOf({ command, args: [...args] }));
    expect(await read({ sandboxId })).toEqual([]);
    const following = read({ sandboxId, follow: true });
    await read({ sandboxId });
    await service.client.deleteSandbox({ sandboxId, gracePeriodSeconds: 60 });
    expect(await following).toEqual([]);
  });

  test("holds up nothing where nobody reads it, and says what was lost", async () => {
    // More than is kept, and than the windows of HTTP/2 hold beside it.
    const script = "echo begin; while ! [ -e go ]; do sleep 0.01; done; head -c 80000000 /dev/zero";
    const sandboxId = await createRunning(
      service.client,
      main(`${script}; echo > done; sleep 600`),
    );
    const stream = service.client.streamLogs({ sandboxId, follow: true });
    const entries = stream[Symbol.asyncIterator]();
    const { value: first } = await entries.next();
    await sh(service.client, sandboxId, "echo > go");
    await eventually(
      async () => (await sh(service.client, sandboxId, "test -e done")).exitCode === 0,
    );
    let seen = first?.data.length ?? 0;
    let error: LogEntry["error"];
    for (let next = await entries.next(); next.done !== true; next = await entries.next()) {
      seen += next.value.data.length;
      expect(next.value.nextLogOffset).toBe(BigInt(seen));
      error = next.value.error;
      if (error !== undefined) break;
    }
    expect(error).toMatchObject({ code: LogStreamErrorCode.STREAM_TRUNCATED });
    expect(seen).toBeLessThan(80_000_000);
    const request = {
      sandboxId,
      follow: true,
      resumeLogSessionId: first?.logSessionId ?? "",
      resumeLogOffset: BigInt(seen),
    };
    const [gap] = await readUntil(request, () => true);
    expect(gap?.error).toMatchObject({ code: LogStreamErrorCode.REPLAY_GAP });
  });
});

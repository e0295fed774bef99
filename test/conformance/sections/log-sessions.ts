import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect } from "vitest";
import { Code } from "@connectrpc/connect";
import { LogStreamErrorCode } from "@tidybox/protocol";
import {
  eventually,
  refusalOf,
  sh,
  untilEnded,
} from "../../../packages/local/src/testing/test-service.ts";
import { section } from "../contract.ts";
import {
  errorOf,
  type LogsRequest,
  printed,
  readLog,
  readLogUntil,
  textOf,
} from "../log-streams.ts";
import { running } from "../sandboxes.ts";
import { residentBytes } from "../service-memory.ts";

const MEBIBYTE = 1024 * 1024;

/** All that is kept of one log. */
const KEPT_BYTES = 16 * MEBIBYTE;

/** Lines that tell where they are, so that any cut in the middle would be seen. */
const numberedLines = (count: number): string =>
  `awk 'BEGIN { for (i = 1; i <= ${count}; i++) printf "%0100d\\n", i }'`;

/** How a stream of a log goes on after a cut, what is kept for that, and what is not. */
export const logSessions = section("3.8", (says) => {
  for (const timestamps of [false, true]) {
    const formatted = timestamps ? "with timestamps, which it keeps" : "as plain bytes";
    says(`a session is resumed at any offset, ${formatted}`, async (context) => {
      const { sandboxes } = context.bed;
      const script = "for i in 1 2 3; do echo line $i; sleep 0.05; done";
      const sandboxId = await printed(context, script);
      const whole = await readLog(sandboxes, { sandboxId, timestamps });
      const expected = textOf(whole);
      const resumeLogSessionId = whole[0]?.logSessionId ?? "";
      for (const at of [0, 1, 7, 20, expected.length - 1]) {
        const rest = await readLogUntil(
          sandboxes,
          { sandboxId, follow: true, resumeLogSessionId, resumeLogOffset: BigInt(at) },
          (text) => text.length >= expected.length - at,
        );
        expect(textOf(rest)).toBe(expected.slice(at));
        expect(new Set(rest.map(({ logSessionId }) => logSessionId))).toEqual(
          new Set([resumeLogSessionId]),
        );
        expect(rest.at(-1)?.nextLogOffset).toBe(BigInt(expected.length));
      }
    });
  }

  says("a session that began in the middle is resumed by its own offsets", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await printed(context, "echo 1; echo 2; echo 3");
    const [first] = await readLog(sandboxes, { sandboxId, tailLines: 2 });
    const request = {
      sandboxId,
      follow: true,
      resumeLogSessionId: first?.logSessionId ?? "",
      resumeLogOffset: 1n,
    };
    const rest = await readLogUntil(sandboxes, request, (text) => text.endsWith("end\n"));
    expect(textOf(rest)).toBe("\nend\n");
  });

  says("a resumed stream goes on with what is printed after the cut", async (context) => {
    const { sandboxes } = context.bed;
    const script = "echo before; while [ ! -e go ]; do sleep 0.02; done; echo after; sleep 600";
    const sandboxId = await running(context, { command: "/bin/sh", args: ["-c", script] });
    const [first] = await readLogUntil(
      sandboxes,
      { sandboxId, follow: true },
      (text) => text === "before\n",
    );
    await sh(sandboxes, sandboxId, "echo > go");
    const request = {
      sandboxId,
      follow: true,
      resumeLogSessionId: first?.logSessionId ?? "",
      resumeLogOffset: first?.nextLogOffset ?? 0n,
    };
    const rest = await readLogUntil(sandboxes, request, (text) => text.endsWith("after\n"));
    expect(textOf(rest)).toBe("after\n");
  });

  says(
    "resume needs follow, and excludes tail_lines, since_time and timestamps",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await printed(context, "echo 1");
      const resumeLogSessionId = (await readLog(sandboxes, { sandboxId }))[0]?.logSessionId ?? "";
      const resumed = { sandboxId, follow: true, resumeLogSessionId };
      const wrong: readonly (readonly [LogsRequest, string])[] = [
        [{ ...resumed, follow: false }, "follow"],
        [{ ...resumed, tailLines: 1 }, "tail_lines"],
        [{ ...resumed, timestamps: true }, "timestamps"],
        [{ ...resumed, sinceTime: timestampFromMs(1) }, "since_time"],
        [{ sandboxId, follow: true, resumeLogOffset: 1n }, "resume_log_offset"],
      ];
      for (const [request, field] of wrong) {
        expect(await refusalOf(readLog(sandboxes, request))).toMatchObject({
          code: Code.InvalidArgument,
          message: expect.stringContaining(field),
        });
      }
    },
  );

  says(
    "an unknown session is told in the stream: SESSION_NOT_FOUND as the last item",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await printed(context, "echo 1");
      const unknown = { sandboxId, follow: true, resumeLogSessionId: "log-none" };
      const entries = await readLog(sandboxes, { ...unknown, resumeLogOffset: 7n });
      expect(entries).toHaveLength(1);
      expect(entries[0]?.error?.code).toBe(LogStreamErrorCode.SESSION_NOT_FOUND);
      expect(entries[0]?.error?.message).toContain("log-none");
      // What an SDK does next.
      expect(textOf(await readLog(sandboxes, { sandboxId }))).toBe("1\nend\n");
    },
  );

  says("so is the session of another sandbox", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await printed(context, "echo secret");
    const other = await running(context);
    const resumeLogSessionId = (await readLog(sandboxes, { sandboxId }))[0]?.logSessionId ?? "";
    const request = { sandboxId: other, follow: true, resumeLogSessionId };
    expect(await errorOf(sandboxes, request)).toBe(LogStreamErrorCode.SESSION_NOT_FOUND);
  });

  says("an offset beyond what was sent is INVALID_RESUME_OFFSET", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await printed(context, "echo 1");
    const resumeLogSessionId = (await readLog(sandboxes, { sandboxId }))[0]?.logSessionId ?? "";
    for (const resumeLogOffset of [7n, 1_000_000n, 2n ** 63n]) {
      const request = { sandboxId, follow: true, resumeLogSessionId, resumeLogOffset };
      expect(await errorOf(sandboxes, request)).toBe(LogStreamErrorCode.INVALID_RESUME_OFFSET);
    }
  });

  says("(our choice) a session outlives its sandbox for who was there before", async (context) => {
    const { sandboxes } = context.bed;
    const script = "echo a; while [ ! -e go ]; do sleep 0.02; done; echo b";
    const sandboxId = await running(context, { command: "/bin/sh", args: ["-c", script] });
    const [first] = await readLogUntil(
      sandboxes,
      { sandboxId, follow: true },
      (text) => text !== "",
    );
    await sh(sandboxes, sandboxId, "echo > go");
    await untilEnded(sandboxes, sandboxId);
    const resumeLogSessionId = first?.logSessionId ?? "";
    const request = { sandboxId, follow: true, resumeLogSessionId, resumeLogOffset: 1n };
    expect(textOf(await readLog(sandboxes, request))).toBe("\nb\n");
  });

  says(
    "(our choice) 16 MiB are kept of a log: the last whole lines of it",
    async (context) => {
      const { sandboxes, service } = context.bed;
      const before = residentBytes(service);
      const count = 300_000;
      const args = ["-c", `${numberedLines(count)}; echo end; exec sleep 600`];
      const sandboxId = await running(context, { command: "/bin/sh", args });
      // Nobody follows it: a slow reader would be told that it has lost some.
      await eventually(async () => {
        const last = await readLog(sandboxes, { sandboxId, tailLines: 1 });
        return textOf(last) === "end\n";
      });
      const text = textOf(await readLog(sandboxes, { sandboxId }));
      expect(text.length).toBeLessThanOrEqual(KEPT_BYTES);
      expect(text.length).toBeGreaterThan(KEPT_BYTES / 2);
      const lines = text.split("\n").slice(0, -2).map(Number);
      expect(lines.at(-1)).toBe(count);
      expect(lines[0]).toBe(count - lines.length + 1);
      expect(residentBytes(service) - before).toBeLessThan(150 * MEBIBYTE);
    },
    { timeoutSeconds: 60 },
  );

  says(
    "an offset that is older than what is kept is REPLAY_GAP",
    async (context) => {
      const { sandboxes } = context.bed;
      const script =
        "echo first; while [ ! -e go ]; do sleep 0.02; done; head -c 20000000 /dev/zero";
      const args = ["-c", `${script}; echo > done; exec sleep 600`];
      const sandboxId = await running(context, { command: "/bin/sh", args });
      const [first] = await readLogUntil(
        sandboxes,
        { sandboxId, follow: true },
        (text) => text === "first\n",
      );
      await sh(sandboxes, sandboxId, "echo > go");
      await eventually(async () => (await sh(sandboxes, sandboxId, "test -e done")).exitCode === 0);
      const resumeLogSessionId = first?.logSessionId ?? "";
      const request = { sandboxId, follow: true, resumeLogSessionId };
      for (const resumeLogOffset of [0n, 6n]) {
        const code = await errorOf(sandboxes, { ...request, resumeLogOffset });
        expect(code).toBe(LogStreamErrorCode.REPLAY_GAP);
      }
      // What an SDK does next.
      const [fresh] = await readLogUntil(sandboxes, { sandboxId, follow: true }, () => true);
      expect(fresh?.data.length).toBeGreaterThan(0);
    },
    { timeoutSeconds: 60 },
  );

  says(
    "(our choice) a reader that stands still holds up nothing, and is told STREAM_TRUNCATED",
    async (context) => {
      const { sandboxes } = context.bed;
      const size = 60_000_000;
      const script = `echo first; while [ ! -e go ]; do sleep 0.02; done; head -c ${size} /dev/zero`;
      const args = ["-c", `${script}; echo > done; exec sleep 600`];
      const sandboxId = await running(context, { command: "/bin/sh", args });
      const stream = sandboxes.streamLogs({ sandboxId, follow: true })[Symbol.asyncIterator]();
      let next = await stream.next();
      await sh(sandboxes, sandboxId, "echo > go");
      await eventually(async () => (await sh(sandboxes, sandboxId, "test -e done")).exitCode === 0);
      let bytes = 0n;
      let code: string | undefined;
      for (; next.done !== true && code === undefined; next = await stream.next()) {
        bytes += BigInt(next.value.data.length);
        expect(next.value.nextLogOffset).toBe(bytes);
        code = next.value.error?.code;
      }
      expect(code).toBe(LogStreamErrorCode.STREAM_TRUNCATED);
      expect(bytes).toBeLessThan(BigInt(size));
      expect(next.done).toBe(true);
    },
    { timeoutSeconds: 60 },
  );
});

import { timestampDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect } from "vitest";
import { Code } from "@connectrpc/connect";
import { ErrorReason, KEEP_ALIVE_COMMAND, State } from "@tidybox/protocol";
import {
  eventually,
  refusalOf,
  sh,
  until,
  untilEnded,
} from "../../../packages/local/src/testing/test-service.ts";
import { section } from "../contract.ts";
import { printed, readLog, readLogUntil, textOf } from "../log-streams.ts";
import { running, started } from "../sandboxes.ts";
import { NEEDS_SEVERAL_CONTAINERS, runningPair } from "../two-containers.ts";

const main = (script: string) => ({ command: "/bin/sh", args: ["-c", script] });

/** What a log has, and where a stream of it begins and ends. */
export const streamLogs = section("3.8", (says) => {
  says("a log has what the main process prints, and never what commands do", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await printed(context, "echo out; sleep 0.1; echo err >&2; sleep 0.1");
    await sh(sandboxes, sandboxId, "echo command; echo command >&2");
    expect(textOf(await readLog(sandboxes, { sandboxId }))).toBe("out\nerr\nend\n");
  });

  says(
    "the keep-alive commands of clients stay silent, also while they are stopped",
    async (context) => {
      const { sandboxes } = context.bed;
      const sleeps = "sleep 3600 & wait $!";
      for (const words of [
        ["/bin/sh", "-c", `trap 'exit 0' TERM INT; while :; do ${sleeps}; done`],
        ["/bin/sh", "-lc", `trap 'exit 0' TERM INT; while :; do ${sleeps}; done`],
        KEEP_ALIVE_COMMAND,
      ]) {
        const [command, ...args] = words;
        const sandboxId = await running(context, { command: command ?? "", args });
        expect(await readLog(sandboxes, { sandboxId })).toEqual([]);
        const following = readLog(sandboxes, { sandboxId, follow: true });
        // The service has both streams once it has answered the second.
        await readLog(sandboxes, { sandboxId });
        await sandboxes.deleteSandbox({ sandboxId, gracePeriodSeconds: 10 });
        expect(await following).toEqual([]);
      }
    },
  );

  says("without follow: what there is, and the end with OK", async (context) => {
    const sandboxId = await printed(context, "echo 1; printf '2\\n'; printf part");
    expect(textOf(await readLog(context.bed.sandboxes, { sandboxId }))).toBe("1\n2\npartend\n");
  });

  says("with follow the stream stays open, and has what comes", async (context) => {
    const { sandboxes } = context.bed;
    const script =
      "echo first; while [ ! -e go ]; do sleep 0.02; done; echo second; exec sleep 600";
    const sandboxId = await running(context, main(script));
    let asked = false;
    const entries = await readLogUntil(sandboxes, { sandboxId, follow: true }, (text) => {
      if (text === "first\n" && !asked) {
        asked = true;
        void sh(sandboxes, sandboxId, "echo > go");
      }
      return text.endsWith("second\n");
    });
    expect(textOf(entries)).toBe("first\nsecond\n");
  });

  says(
    "(our choice) followed, it ends with OK when the main process has ended",
    async (context) => {
      const { sandboxes } = context.bed;
      const { sandboxId } = await started(
        context,
        main("echo first; sleep 0.2; printf last; exit 3"),
      );
      expect(textOf(await readLog(sandboxes, { sandboxId, follow: true }))).toBe("first\nlast");
      expect((await untilEnded(sandboxes, sandboxId)).status?.exitCode).toBe(3);
    },
  );

  says("who follows a sandbox that is stopped has its last words too", async (context) => {
    const { sandboxes } = context.bed;
    const script = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
    const sandboxId = await running(context, main(script));
    const following = readLog(sandboxes, { sandboxId, follow: true });
    await readLogUntil(sandboxes, { sandboxId, follow: true }, (text) => text === "ready\n");
    await sandboxes.deleteSandbox({ sandboxId, gracePeriodSeconds: 60 });
    expect(textOf(await following)).toBe("ready\nbye\n");
  });

  says(
    "tail_lines is the last lines; 0, and more than there are, is everything",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await printed(context, "echo 1; echo; echo 3; printf 4");
      for (const [tailLines, text] of [
        [0, "1\n\n3\n4end\n"],
        [1, "4end\n"],
        [3, "\n3\n4end\n"],
        [1000, "1\n\n3\n4end\n"],
      ] as const) {
        expect(textOf(await readLog(sandboxes, { sandboxId, tailLines }))).toBe(text);
      }
      const entries = await readLogUntil(
        sandboxes,
        { sandboxId, tailLines: 2, follow: true },
        (text) => text.endsWith("end\n"),
      );
      expect(textOf(entries)).toBe("3\n4end\n");
    },
  );

  says("(our choice) a negative tail_lines is refused by its name", async (context) => {
    const sandboxId = await running(context);
    const call = readLog(context.bed.sandboxes, { sandboxId, tailLines: -1 });
    expect(await refusalOf(call)).toMatchObject({
      code: Code.InvalidArgument,
      message: expect.stringContaining("tail_lines"),
    });
  });

  says("since_time begins at that time; in the future there is nothing yet", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await printed(context, "echo early; sleep 0.4; echo late");
    const lines = textOf(await readLog(sandboxes, { sandboxId, timestamps: true })).split("\n");
    const [early, late] = lines.map((line) => Date.parse(line.split(" ")[0] ?? ""));
    if (early === undefined || late === undefined) throw new Error("no times");
    expect(late).toBeGreaterThan(early);
    const since = async (time: number): Promise<string> =>
      textOf(await readLog(sandboxes, { sandboxId, sinceTime: timestampFromMs(time) }));
    expect(await since(late)).toBe("late\nend\n");
    expect(await since(early - 1000)).toBe("early\nlate\nend\n");
    expect(await since(Date.now() + 60_000)).toBe("");
    const both = { sandboxId, sinceTime: timestampFromMs(late), tailLines: 1 };
    expect(textOf(await readLog(sandboxes, both))).toBe("end\n");
  });

  says("timestamps puts an ISO 8601 time and a space before each line, once", async (context) => {
    const { sandboxes } = context.bed;
    const before = Date.now();
    const script = "printf a; sleep 0.1; echo b; echo; printf 'c\\nd'";
    const sandboxId = await printed(context, script);
    const text = textOf(await readLog(sandboxes, { sandboxId, timestamps: true }));
    const lines = text.split("\n").slice(0, -1);
    const parts = lines.map((line) => /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z) (.*)$/.exec(line));
    expect(parts.map((part) => part?.[2])).toEqual(["ab", "", "c", "dend"]);
    for (const part of parts) {
      const time = Date.parse(part?.[1] ?? "");
      expect(time).toBeGreaterThanOrEqual(before - 5000);
      expect(time).toBeLessThanOrEqual(Date.now() + 5000);
    }
  });

  says("next_log_offset grows from 0 by exactly the bytes of each entry", async (context) => {
    const { sandboxes } = context.bed;
    const script =
      "printf 'ü€𝄞\\n'; sleep 0.05; printf '\\000\\377\\r\\n'; head -c 100000 /dev/zero";
    const sandboxId = await printed(context, script);
    for (const request of [{}, { tailLines: 2 }, { timestamps: true }]) {
      const entries = await readLog(sandboxes, { sandboxId, ...request });
      let offset = 0n;
      for (const { data, nextLogOffset } of entries) {
        expect(data.length).toBeGreaterThan(0);
        offset += BigInt(data.length);
        expect(nextLogOffset).toBe(offset);
      }
    }
  });

  says("the session id is one throughout a stream, and never empty", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await printed(context, "head -c 200000 /dev/zero");
    const ids = new Set<string>();
    for (let stream = 0; stream < 2; stream += 1) {
      const entries = await readLog(sandboxes, { sandboxId });
      expect(entries.length).toBeGreaterThan(1);
      const own = new Set(entries.map(({ logSessionId }) => logSessionId));
      expect(own.size).toBe(1);
      for (const id of own) ids.add(id);
    }
    expect(ids.has("")).toBe(false);
    expect(ids.size).toBe(2);
  });

  says("(our choice) each entry has the time of its first line", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await printed(context, "echo 1; sleep 0.2; echo 2");
    const stamped = textOf(await readLog(sandboxes, { sandboxId, timestamps: true })).split("\n");
    const [entry] = await readLog(sandboxes, { sandboxId, tailLines: 2 });
    const time = entry?.timestamp && timestampDate(entry.timestamp).toISOString();
    expect(stamped[1]?.split(" ")[0]).toBe(time);
  });

  says("any byte comes through, and a line of more than 1 MiB", async (context) => {
    const { sandboxes } = context.bed;
    const size = 1_500_000;
    const script = `printf '\\000\\001\\376\\377\\015\\n'; head -c ${size} /dev/zero`;
    const sandboxId = await printed(context, script);
    const entries = await readLog(sandboxes, { sandboxId });
    const bytes = Buffer.concat(entries.map(({ data }) => data));
    expect([...bytes.subarray(0, 6)]).toEqual([0, 1, 254, 255, 13, 10]);
    expect(bytes.length).toBe(6 + size + 4);
    expect(bytes.subarray(6, 6 + size).every((byte) => byte === 0)).toBe(true);
  });

  says("several who follow at once have all of it, each", async (context) => {
    const { sandboxes } = context.bed;
    const script = "while [ ! -e go ]; do sleep 0.02; done; for i in 1 2 3; do echo $i; done";
    const sandboxId = await running(context, main(script));
    const readers = Array.from({ length: 5 }, () =>
      readLog(sandboxes, { sandboxId, follow: true }),
    );
    await sh(sandboxes, sandboxId, "echo > go");
    for (const entries of await Promise.all(readers)) expect(textOf(entries)).toBe("1\n2\n3\n");
  });

  says(
    "(our choice) followed while the sandbox still starts, nothing is missed",
    async (context) => {
      const { sandboxes } = context.bed;
      const { sandboxId } = await started(context, main("echo first; sleep 0.1; echo last"));
      expect(textOf(await readLog(sandboxes, { sandboxId, follow: true }))).toBe("first\nlast\n");
    },
  );

  says(
    "container names whose log it is; empty means the primary one",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await runningPair(context);
      for (const container of ["", "side"]) {
        await eventually(
          async () => (await readLog(sandboxes, { sandboxId, container })).length > 0,
        );
        const text = textOf(await readLog(sandboxes, { sandboxId, container }));
        expect(text).toBe(`${container || "main"}\n`);
      }
    },
    NEEDS_SEVERAL_CONTAINERS,
  );

  says(
    "a sandbox that is terminating or has ended fails with SANDBOX_NOT_RUNNING",
    async (context) => {
      const { sandboxes } = context.bed;
      const script = "trap 'echo asked' TERM; echo ready; while :; do sleep 0.05; done";
      const sandboxId = await running(context, main(script));
      await readLogUntil(sandboxes, { sandboxId, follow: true }, (text) => text === "ready\n");
      await sandboxes.deleteSandbox({ sandboxId, gracePeriodSeconds: 300 });
      await until(sandboxes, sandboxId, (state) => state === State.TERMINATING);
      const refused = { code: Code.FailedPrecondition, reason: ErrorReason.SANDBOX_NOT_RUNNING };
      expect(await refusalOf(readLog(sandboxes, { sandboxId, follow: true }))).toMatchObject(
        refused,
      );
      await sandboxes.deleteSandbox({ sandboxId });
      await untilEnded(sandboxes, sandboxId);
      for (const follow of [true, false])
        expect(await refusalOf(readLog(sandboxes, { sandboxId, follow }))).toMatchObject(refused);
    },
  );

  says(
    "an unknown sandbox is NOT_FOUND, an unknown container INVALID_ARGUMENT",
    async (context) => {
      const { sandboxes } = context.bed;
      const unknown = refusalOf(readLog(sandboxes, { sandboxId: "sb-none", follow: true }));
      expect(await unknown).toMatchObject({
        code: Code.NotFound,
        reason: ErrorReason.SANDBOX_NOT_FOUND,
      });
      const sandboxId = await running(context);
      expect(await refusalOf(readLog(sandboxes, { sandboxId, container: "other" }))).toMatchObject({
        code: Code.InvalidArgument,
        message: expect.stringContaining("container"),
      });
    },
  );
});

import { create } from "@bufbuild/protobuf";
import { expect } from "vitest";
import { type ExecStreamRequest, ExecStreamRequestSchema } from "@tidybox/protocol";
import { pause, sh } from "../../../packages/local/src/testing/test-service.ts";
import { section } from "../contract.ts";
import { ExecStream } from "../exec-streams.ts";
import { running } from "../sandboxes.ts";
import { residentBytes, standsStill } from "../service-memory.ts";

const MEBIBYTE = 1024 * 1024;

/** Of what passes through, the service may hold this much, and no more. */
const HELD_BYTES = 100 * MEBIBYTE;

/** Who is slow, the reader or the command: nothing is cut, and the service's memory is bounded. */
export const streamExecPressure = section("3.7", (says) => {
  says(
    "(our choice) a reader that is too slow stops the command instead of losing output",
    async (context) => {
      const { sandboxes, service } = context.bed;
      const sandboxId = await running(context);
      const blocks = 64;
      const script = `for i in $(seq ${blocks}); do echo $i > written; head -c ${MEBIBYTE} /dev/zero; done; exit 5`;
      const written = async (): Promise<number> =>
        Number((await sh(sandboxes, sandboxId, "cat written")).stdout);
      const requests = half(
        create(ExecStreamRequestSchema, {
          message: { case: "init", value: { sandboxId, command: ["/bin/sh", "-c", script] } },
        }),
      );
      const before = residentBytes(service);
      const stream = sandboxes.streamExec(requests)[Symbol.asyncIterator]();
      expect((await stream.next()).value?.message.case).toBe("ready");
      const stuckAt = await standsStill(written);
      expect(stuckAt).toBeLessThan(blocks / 2);
      expect(residentBytes(service) - before).toBeLessThan(HELD_BYTES);
      let bytes = 0;
      let exitCode: number | undefined;
      for (let next = await stream.next(); next.done !== true; next = await stream.next()) {
        const { message } = next.value;
        if (message.case === "output") bytes += message.value.data.length;
        if (message.case === "exit") exitCode = message.value.exitCode;
      }
      expect({ bytes, exitCode }).toEqual({ bytes: blocks * MEBIBYTE, exitCode: 5 });
    },
  );

  says("(our choice) a command that does not read its input stops the client", async (context) => {
    const { sandboxes, service } = context.bed;
    const sandboxId = await running(context);
    const frame = Buffer.alloc(64 * 1024);
    const most = 3000;
    let sent = 0;
    async function* requests(): AsyncGenerator<ExecStreamRequest> {
      const value = { sandboxId, command: ["sleep", "600"] };
      yield create(ExecStreamRequestSchema, { message: { case: "init", value } });
      for (; sent < most; sent += 1) {
        yield create(ExecStreamRequestSchema, { message: { case: "stdin", value: frame } });
      }
    }
    const before = residentBytes(service);
    const cancel = new AbortController();
    const responses = sandboxes.streamExec(requests(), { signal: cancel.signal });
    const stream = responses[Symbol.asyncIterator]();
    expect((await stream.next()).value?.message.case).toBe("ready");
    const stuckAt = await standsStill(() => sent);
    expect(stuckAt).toBeLessThan(most / 2);
    expect(residentBytes(service) - before).toBeLessThan(HELD_BYTES);
    cancel.abort();
    await stream.next().catch(() => {});
  });

  says("a stream that nobody reads holds up no other", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await running(context);
    const unread = new ExecStream(sandboxes, {
      sandboxId,
      command: ["head", "-c", String(64 * MEBIBYTE), "/dev/zero"],
    });
    unread.halfClose();
    await unread.ready();
    await pause(100);
    for (let round = 0; round < 3; round += 1) {
      const other = new ExecStream(sandboxes, { sandboxId, command: ["echo", String(round)] });
      other.halfClose();
      expect((await other.ended()).stdout.toString()).toBe(`${round}\n`);
    }
    unread.cancel();
  });

  says("twenty streams run side by side, each with its own input", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await running(context);
    const streams = Array.from({ length: 20 }, () => {
      return new ExecStream(sandboxes, { sandboxId, command: ["cat"] });
    });
    await Promise.all(streams.map((stream) => stream.ready()));
    for (const [index, stream] of streams.entries()) stream.stdin(`input ${index}`);
    for (const stream of streams) stream.halfClose();
    const ended = await Promise.all(streams.map((stream) => stream.ended()));
    expect(ended.map(({ stdout }) => stdout.toString())).toEqual(
      streams.map((_, index) => `input ${index}`),
    );
  });
});

async function* half(init: ExecStreamRequest): AsyncGenerator<ExecStreamRequest> {
  yield await Promise.resolve(init);
}

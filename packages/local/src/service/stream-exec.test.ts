import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Code } from "@connectrpc/connect";
import { ExecStreamOutput_Stream, type ExecStreamResponse } from "@tidybox/protocol";
import { markedProcesses } from "../engines/process/marked-processes.ts";
import { Requests } from "../testing/requests.ts";
import {
  createRunning,
  eventually,
  pause,
  refusalOf,
  startTestService,
  type TestService,
} from "../testing/test-service.ts";
import { testedEngines } from "../testing/tested-engines.ts";

/** Memory of the service's process, seen from outside. */
function residentBytes({ process: { pid } }: TestService): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

function text(responses: readonly ExecStreamResponse[], wanted: ExecStreamOutput_Stream): string {
  return Buffer.concat(
    responses.flatMap(({ message }) =>
      message.case === "output" && message.value.stream === wanted ? [message.value.data] : [],
    ),
  ).toString();
}

describe.each(testedEngines)("StreamExec with the engine %s", (engine) => {
  let service: TestService;
  let sandboxId: string;
  beforeAll(async () => {
    service = await startTestService({ engine });
    sandboxId = await createRunning(service.client);
  });
  afterAll(() => service.close());

  function start(command: string[], env: Record<string, string> = {}): Requests {
    const requests = new Requests();
    requests.send({ case: "init", value: { sandboxId, command, env } });
    return requests;
  }

  async function collect(requests: Requests): Promise<ExecStreamResponse[]> {
    const responses: ExecStreamResponse[] = [];
    for await (const response of service.client.streamExec(requests)) responses.push(response);
    return responses;
  }

  test("sends ready first, output, and exit last, with the half-close as end of input", async () => {
    const requests = start(["/bin/sh", "-c", "cat; echo out; echo err >&2; exit 7"]);
    requests.end();
    const responses = await collect(requests);
    expect(responses[0]?.message.case).toBe("ready");
    expect(responses.at(-1)?.message).toMatchObject({ case: "exit", value: { exitCode: 7 } });
    expect(responses.slice(1, -1).every(({ message }) => message.case === "output")).toBe(true);
    expect(text(responses, ExecStreamOutput_Stream.STDOUT)).toBe("out\n");
    expect(text(responses, ExecStreamOutput_Stream.STDERR)).toBe("err\n");
  });

  test("passes input on and takes close as its end, not as a kill", async () => {
    const requests = start(["/bin/sh", "-c", "cat; sleep 0.1; echo after"]);
    requests.send({ case: "stdin", value: Buffer.from("hello ") });
    requests.send({ case: "stdin", value: Buffer.from("world\n") });
    requests.send({ case: "close", value: {} });
    const responses = await collect(requests);
    expect(text(responses, ExecStreamOutput_Stream.STDOUT)).toBe("hello world\nafter\n");
    expect(responses.at(-1)?.message).toMatchObject({ case: "exit", value: { exitCode: 0 } });
  });

  test("carries megabytes both ways unharmed", async () => {
    const size = 8 * 1024 * 1024;
    const content = Buffer.alloc(size, 0);
    for (let index = 0; index < size; index += 4) content.writeUInt32LE(index, index);
    const requests = start(["cat"]);
    for (let at = 0; at < size; at += 64 * 1024) {
      requests.send({ case: "stdin", value: content.subarray(at, at + 64 * 1024) });
    }
    requests.end();
    const responses = await collect(requests);
    const output = responses.flatMap(({ message }) =>
      message.case === "output" ? [message.value.data] : [],
    );
    expect(Buffer.concat(output).equals(content)).toBe(true);
    expect(Math.max(...output.map((data) => data.length))).toBeLessThanOrEqual(512 * 1024);
  });

  test("reports the exit although a daemon goes on writing", async () => {
    for (const daemon of ["yes", "while echo more; do sleep 0.03; done"]) {
      const requests = start(["/bin/sh", "-c", `echo first; { ${daemon}; } & exit 3`]);
      requests.end();
      const responses = await collect(requests);
      expect(text(responses, ExecStreamOutput_Stream.STDOUT)).toMatch(/^first\n/);
      expect(responses.at(-1)?.message).toMatchObject({ case: "exit", value: { exitCode: 3 } });
    }
  });

  test("loses nothing of what a command has left when its client reads late", async () => {
    const requests = start(["head", "-c", "300000", "/dev/zero"]);
    requests.end();
    let received = 0;
    for await (const { message } of service.client.streamExec(requests)) {
      if (message.case !== "output") continue;
      received += message.value.data.length;
      await pause(400);
    }
    expect(received).toBe(300_000);
  });

  test("gives a command without input an empty one that can be opened by name", async () => {
    for (const end of ["half-close", "close"]) {
      const requests = start(["/bin/sh", "-c", "cat /dev/stdin; echo status $?"]);
      if (end === "close") requests.send({ case: "close", value: {} });
      requests.end();
      expect(text(await collect(requests), ExecStreamOutput_Stream.STDOUT)).toBe("status 0\n");
    }
  });

  test("shows output while the command runs", async () => {
    const requests = start(["/bin/sh", "-c", "echo first; read line; echo got $line"]);
    const seen: string[] = [];
    for await (const { message } of service.client.streamExec(requests)) {
      if (message.case !== "output") continue;
      seen.push(Buffer.from(message.value.data).toString());
      if (seen.length === 1) requests.send({ case: "stdin", value: Buffer.from("second\n") });
      else requests.end();
    }
    expect(seen.join("")).toBe("first\ngot second\n");
  });

  test("stops the writer when the reader does not read, and keeps little meanwhile", async () => {
    const size = 300_000_000;
    const mark = `STREAM_SLOW_${engine}`;
    // What a first large stream costs once, whoever reads it, is not what is asked here.
    const warmUp = start(["head", "-c", "20000000", "/dev/zero"]);
    warmUp.end();
    await collect(warmUp);
    const before = residentBytes(service);
    let most = before;
    const requests = start(["head", "-c", String(size), "/dev/zero"], { [mark]: "1" });
    const stream = service.client.streamExec(requests)[Symbol.asyncIterator]();
    await stream.next();
    let bytes = 0;
    let nextPause = 0;
    for (let next = await stream.next(); next.done !== true; next = await stream.next()) {
      if (next.value.message.case === "exit") requests.end();
      if (next.value.message.case !== "output") continue;
      // Stands still at the beginning, and again after every tenth of it.
      if (bytes >= nextPause) {
        nextPause += size / 10;
        await pause(100);
        most = Math.max(most, residentBytes(service));
        // The command is far from done: it waits in its pipe.
        if (bytes < size / 2) expect(markedProcesses(`${mark}=1`)).not.toEqual([]);
      }
      bytes += next.value.message.value.data.length;
    }
    expect(bytes).toBe(size);
    // What was not collected yet of what has passed. A stream that held on to it would need it all.
    expect(most - before).toBeLessThan(160 * 1024 * 1024);
  });

  test("ends the process when the client cancels", async () => {
    const mark = `STREAM_CANCEL_${engine}`;
    const cancel = new AbortController();
    const requests = start(["/bin/sh", "-c", "sleep 600; true"], { [mark]: "1" });
    const responses = service.client.streamExec(requests, { signal: cancel.signal });
    const stream = responses[Symbol.asyncIterator]();
    await stream.next();
    await eventually(() => markedProcesses(`${mark}=1`).length >= 2);
    cancel.abort();
    expect(await refusalOf(stream.next())).toMatchObject({ code: Code.Canceled });
    await eventually(() => markedProcesses(`${mark}=1`).length === 0);
    requests.end();
  });

  test("reports a missing program as exit 127", async () => {
    const requests = start(["no-such-program"]);
    requests.end();
    const responses = await collect(requests);
    expect(responses.at(-1)?.message).toMatchObject({ case: "exit", value: { exitCode: 127 } });
  });

  test("does not mind a process that ends before its input", async () => {
    const requests = start(["true"]);
    for (let count = 0; count < 50; count += 1) {
      requests.send({ case: "stdin", value: Buffer.alloc(64 * 1024) });
    }
    requests.end();
    const responses = await collect(requests);
    expect(responses.at(-1)?.message).toMatchObject({ case: "exit", value: { exitCode: 0 } });
  });

  test("refuses a stream without init", async () => {
    const noInit = new Requests();
    noInit.send({ case: "stdin", value: Buffer.from("x") });
    noInit.end();
    expect(await refusalOf(collect(noInit))).toMatchObject({ code: Code.InvalidArgument });
  });
});

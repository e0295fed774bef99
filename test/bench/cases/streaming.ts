import { execFile, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Sandbox } from "@tidybox/client";
import { SandboxService } from "@tidybox/protocol";
import { sideBySide, timed } from "../measure.ts";
import { describeSample, type Result } from "../report.ts";
import { type BenchService, startService } from "../service.ts";

const MIB = 1024 * 1024;

/** What the client sends a file in; the service's own pieces are as large or larger. */
const CHUNK_BYTES = 64 * 1024;

/** A large file down and up through streams, against as many bytes over a bare Connect stream. */
export async function streaming(sizeMiB: number, rounds: number): Promise<readonly Result[]> {
  const totalBytes = sizeMiB * MIB;
  await using service = await startService();
  await using sandbox = await Sandbox.run({ connection: service.connection });
  const bare = await startBareServer();
  const path = "/workspace/large.bin";
  const up = () =>
    sandbox.writeFile(
      path,
      // As a file's read stream gives them.
      (async function* () {
        const chunk = new Uint8Array(CHUNK_BYTES).fill(7);
        for (let sent = 0; sent < totalBytes; sent += chunk.length) yield chunk;
      })(),
    );
  const down = async () => {
    let bytes = 0;
    for await (const data of sandbox.readFileStream(path)) bytes += data.byteLength;
    if (bytes !== totalBytes) throw new Error(`${bytes} bytes came, not ${totalBytes}`);
  };
  try {
    await up();
    const samples = await sideBySide(
      [
        { name: `${sizeMiB} MiB up`, once: () => timed(up) },
        { name: "as many bytes up a bare stream", once: () => timed(() => bare.up(totalBytes)) },
        { name: `${sizeMiB} MiB down`, once: () => timed(down) },
        {
          name: "as many bytes down a bare stream",
          once: () => timed(() => bare.down(totalBytes)),
        },
      ],
      rounds,
      1,
    );
    const rate = (name: string): string => {
      const ms = samples.find((sample) => sample.name === name)?.medianMs ?? Number.NaN;
      return `${name}: ${(sizeMiB / (ms / 1000)).toFixed(0)} MiB/s`;
    };
    const [oursUp, bareUp, oursDown, bareDown] = samples.map(({ medianMs }) => medianMs);
    const result = (direction: string, ours = Number.NaN, theirs = Number.NaN): Result => ({
      name: `${sizeMiB} MiB ${direction} through streaming, against a bare Connect stream`,
      value: ours / theirs,
      unit: "× the time",
      limit: 2,
      figures: [...samples.map(describeSample), ...samples.map(({ name }) => rate(name))],
      samples,
    });
    return [
      result("up", oursUp, bareUp),
      result("down", oursDown, bareDown),
      await memoryOf(service, sizeMiB),
    ];
  } finally {
    bare.close();
  }
}

/** In a process that does only this: here, the bare streams' memory would count too. */
async function memoryOf(service: BenchService, sizeMiB: number): Promise<Result> {
  const program = fileURLToPath(new URL("../streaming-program.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program, String(sizeMiB)], {
    env: {
      PATH: process.env["PATH"],
      CWSANDBOX_BASE_URL: service.connection.baseUrl,
      CWSANDBOX_API_KEY: service.apiKey,
    },
  });
  const { beforeBytes, peakBytes } = JSON.parse(stdout) as {
    readonly beforeBytes: number;
    readonly peakBytes: number;
  };
  return {
    name: `resident memory of a process that moves ${sizeMiB} MiB up and down`,
    value: (peakBytes - beforeBytes) / MIB,
    unit: "MiB more",
    limit: 64,
    figures: [
      `peak ${(peakBytes / MIB).toFixed(0)} MiB, after the first 8 MiB ${(beforeBytes / MIB).toFixed(0)} MiB`,
    ],
    samples: [],
  };
}

async function startBareServer() {
  const child = fork(fileURLToPath(new URL("../bare-stream-server.ts", import.meta.url)));
  const [port] = (await once(child, "message")) as [number];
  const client = createClient(
    SandboxService,
    createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}` }),
  );
  const run = async (sendBytes: number, receiveBytes: number): Promise<void> => {
    let got = 0;
    const requests = async function* () {
      const command = [String(receiveBytes), String(CHUNK_BYTES)];
      yield { message: { case: "init" as const, value: { sandboxId: "bare", command } } };
      const value = new Uint8Array(CHUNK_BYTES).fill(7);
      for (let sent = 0; sent < sendBytes; sent += value.length)
        yield { message: { case: "stdin" as const, value } };
    };
    for await (const { message } of client.streamExec(requests()))
      if (message.case === "output") got += message.value.data.length;
    if (got !== receiveBytes) throw new Error(`${got} bytes came, not ${receiveBytes}`);
  };
  return {
    up: (bytes: number) => run(bytes, 0),
    down: (bytes: number) => run(0, bytes),
    close: () => child.disconnect(),
  };
}

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Sandbox } from "@tidybox/client";
import { startBareServer } from "../bare-client.ts";
import { type Sample, sideBySide, timed } from "../measure.ts";
import { describeRatio, describeSample, type Result } from "../report.ts";
import { type BenchService, startService } from "../service.ts";

const MIB = 1024 * 1024;

/** As a file's read stream gives them. */
const CHUNK_BYTES = 64 * 1024;

/** The bare stream is measured in each, and the best is what counts. */
const MESSAGE_KIB = [16, 64, 128, 256, 512, 1024];

/** Of the bare stream's rate, 60 %. */
const LIMIT = 1 / 0.6;

const SIZE_ROUNDS = 2;

/**
 * Output of a command, and a large file down and up, against as many bytes over a bare Connect
 * stream in the message size that suits it best.
 */
export async function streaming(fileMiB: number, rounds: number): Promise<readonly Result[]> {
  await using service = await startService();
  await using sandbox = await Sandbox.run({ connection: service.connection });
  using bare = await startBareServer();
  const path = "/workspace/large.bin";
  const fileBytes = fileMiB * MIB;
  const outputBytes = Math.min(100_000_000, fileBytes);
  const expect = (bytes: number, wanted: number): void => {
    if (bytes !== wanted) throw new Error(`${bytes} bytes came, not ${wanted}`);
  };
  const up = () =>
    sandbox.writeFile(
      path,
      (async function* () {
        const chunk = new Uint8Array(CHUNK_BYTES).fill(7);
        for (let sent = 0; sent < fileBytes; sent += chunk.length) yield chunk;
      })(),
    );
  const down = async () => {
    let bytes = 0;
    for await (const data of sandbox.readFileStream(path)) bytes += data.byteLength;
    expect(bytes, fileBytes);
  };
  const output = async () => {
    const process = await sandbox.spawn(["head", "-c", String(outputBytes), "/dev/zero"]);
    let bytes = 0;
    for await (const data of process.stdout) bytes += data.byteLength;
    expect(bytes, outputBytes);
  };
  await up();
  const against = async (
    what: string,
    ours: () => Promise<unknown>,
    theirs: (messageBytes: number) => Promise<void>,
    totalBytes: number,
  ): Promise<Result> => {
    const bestKiB = await bestSize(theirs);
    const samples = await sideBySide(
      [
        { name: what, once: () => timed(ours) },
        {
          name: `a bare stream of ${bestKiB} KiB messages`,
          once: () => timed(() => theirs(bestKiB * 1024)),
        },
      ],
      rounds,
      1,
    );
    const rate = ({ medianMs }: Sample): string =>
      `${(totalBytes / MIB / (medianMs / 1000)).toFixed(0)} MiB/s`;
    const [own, best] = samples;
    return {
      name: `${what}, against a bare Connect stream at its best`,
      value: (own?.medianMs ?? Number.NaN) / (best?.medianMs ?? Number.NaN),
      unit: "× the time",
      limit: LIMIT,
      figures: [
        ...samples.map((sample) => `${describeSample(sample)}: ${rate(sample)}`),
        describeRatio(own, best),
      ],
      samples,
    };
  };
  return [
    await against(
      `${(outputBytes / 1e6).toFixed(0)} MB of a command's output`,
      output,
      (messageBytes) => bare.down(outputBytes, messageBytes),
      outputBytes,
    ),
    await against(
      `a file of ${fileMiB} MiB up`,
      up,
      (messageBytes) => bare.up(fileBytes, messageBytes),
      fileBytes,
    ),
    await against(
      `a file of ${fileMiB} MiB down`,
      down,
      (messageBytes) => bare.down(fileBytes, messageBytes),
      fileBytes,
    ),
    await memoryOf(service, fileMiB),
  ];
}

/** In KiB: the size with the shortest of a few times, which other load on the machine spoils least. */
async function bestSize(stream: (messageBytes: number) => Promise<void>): Promise<number> {
  let best = { sizeKiB: 0, ms: Number.POSITIVE_INFINITY };
  for (let round = 0; round < SIZE_ROUNDS; round += 1) {
    for (const sizeKiB of MESSAGE_KIB) {
      const ms = await timed(() => stream(sizeKiB * 1024));
      if (ms < best.ms) best = { sizeKiB, ms };
    }
  }
  return best.sizeKiB;
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

import { afterAll, beforeAll, expect, test } from "vitest";
import { Connection } from "../connection/connection.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import { cutInTurn, startFaultProxy } from "../testing/fault-proxy.ts";
import type { SandboxLogs } from "./sandbox-logs.ts";
import { startTestService, type TestService } from "../testing/local-service.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service[Symbol.asyncDispose]());

/** The same numbers from 0 to below `limit` for the same seed. */
function randomFrom(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

const LINES = 120_000;
const OUTPUT = Array.from({ length: LINES }, (_, index) => `${index + 1}\n`).join("");

/** A main process that prints when it is let go: nobody can begin to read what has ended. */
const whenLetGo = (script: string): readonly string[] => [
  "sh",
  "-c",
  `echo begin; until [ -e go ]; do sleep 0.01; done; ${script}`,
];

/** Reads to the end, or until it has so many bytes; lets the main process go at its first word. */
async function read(sandbox: Sandbox, logs: SandboxLogs, enough: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of logs.bytes()) {
    if (size === 0) await sandbox.writeFile("/workspace/go", "");
    chunks.push(chunk);
    size += chunk.byteLength;
    if (size >= enough) break;
  }
  return Buffer.concat(chunks);
}

test.for([1, 2, 3])("has each byte once over a wire that breaks, seed %i", async (seed) => {
  const random = randomFrom(seed);
  // An entry is 32 KiB: some cuts leave several whole ones behind, and some not even the first.
  const cutAfter = Array.from({ length: 7 }, (_, index) =>
    index % 3 === 1 ? 1 + random(900) : 40_000 + random(100_000),
  );
  await using proxy = await startFaultProxy(service.baseUrl);
  const done = cutInTurn(proxy, cutAfter);
  using connection = new Connection({ baseUrl: proxy.baseUrl, apiKey: service.apiKey });
  const command = whenLetGo(`seq 1 ${LINES}; sleep 600`);
  await using sandbox = await Sandbox.run(command, { connection: service.connection });
  const far = await Sandbox.fromId(sandbox.id, { connection });
  const expected = Buffer.from(`begin\n${OUTPUT}`);
  const got = await read(sandbox, far.logs({ follow: true }), expected.length);
  expect(got.equals(expected)).toBe(true);
  expect(done.cuts).toBeGreaterThanOrEqual(5);
});

test("with times before its lines, and a main process that ends meanwhile, too", async () => {
  const random = randomFrom(9);
  const cutAfter = Array.from({ length: 5 }, () => 20_000 + random(300_000));
  await using proxy = await startFaultProxy(service.baseUrl);
  const done = cutInTurn(proxy, cutAfter);
  using connection = new Connection({ baseUrl: proxy.baseUrl, apiKey: service.apiKey });
  const command = whenLetGo(`seq 1 ${LINES}`);
  await using sandbox = await Sandbox.run(command, { connection: service.connection });
  const far = await Sandbox.fromId(sandbox.id, { connection });
  const logs = far.logs({ follow: true, timestamps: true });
  const lines = (await read(sandbox, logs, Infinity)).toString("latin1").split("\n");
  expect(lines.every((line) => line === "" || /^\S{24} \w+$/.test(line))).toBe(true);
  expect(lines.map((line) => line.slice(25)).join("\n")).toBe(`begin\n${OUTPUT}`);
  expect(done.cuts).toBe(5);
});

test("100 MiB reach a reader that keeps reading, with nothing lost", async () => {
  const command = whenLetGo("head -c 104857600 /dev/zero");
  await using sandbox = await Sandbox.run(command, { connection: service.connection });
  let size = 0;
  for await (const chunk of sandbox.logs({ follow: true }).bytes()) {
    if (size === 0) await sandbox.writeFile("/workspace/go", "");
    size += chunk.byteLength;
  }
  expect(size).toBe("begin\n".length + 104_857_600);
});

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { withDeadline } from "../../packages/local/src/deadline.ts";
import { descendantsOf, procFile } from "../../packages/local/src/testing/process-tree.ts";
import {
  COLLECTING_GARBAGE,
  startTestService,
  type TestService,
  type TestServiceOptions,
} from "../../packages/local/src/testing/test-service.ts";
import { type CaseKind, fuzzCase, type FuzzCase } from "./cases.ts";
import { play, rawConnection } from "./raw-connections.ts";
import { Random } from "./random.ts";
import { RPCS } from "./rpcs.ts";
import { Sender } from "./send.ts";
import type { World } from "./values.ts";
import { problemOf } from "./verdict.ts";
import { RealWorld } from "./world.ts";

/** Between two looks at whether the service still answers. */
const ROUND = 500;
const CONNECTIONS = 4;
const AT_ONCE = 64;
const RAW_CONNECTIONS = 4;
const ANSWER_SECONDS = 60;

/** Memory grows at first: code is compiled, caches and the heap find their size. */
const WARM_UP_SHARE = 0.2;
const SETTLE_SECONDS = 3;
const MAX_PROBLEMS = 20;

const SERVICE: TestServiceOptions = {
  engine: "bubblewrap",
  maxSandboxes: 24,
  templates: { kept: { containers: [{ name: "main", image: "python:3.11" }] } },
};

export interface FuzzOptions {
  readonly seed: number;
  readonly cases: number;
  /** The number of the first case; default 0. */
  readonly first?: number;
  /** Hears of how far it is, after each round. */
  readonly onRound?: (done: number) => void;
}

export interface Memory {
  /** Of the whole process; what the allocator keeps for later is in it. */
  readonly residentBytes: number;
  /** JavaScript objects and buffers that something holds. */
  readonly usedBytes: number;
}

export interface FuzzReport {
  readonly seed: number;
  readonly cases: number;
  readonly seconds: number;
  readonly perRpc: ReadonlyMap<string, number>;
  readonly perKind: ReadonlyMap<CaseKind | "raw connection", number>;
  /** How often each answer came. */
  readonly answers: ReadonlyMap<string, number>;
  /** Of the service, after the warm-up and at the end. */
  readonly memoryBefore: Memory;
  readonly memoryAfter: Memory;
  /** Cases that were not answered as they should be; at most 20. */
  readonly problems: readonly string[];
  /** Processes, mounts and changed files; what stays in its folder makes the closing throw. */
  readonly left: readonly string[];
}

/** Sends cases to a service of its own, which it starts and ends. */
export async function fuzz({ seed, cases, first = 0, onRound }: FuzzOptions): Promise<FuzzReport> {
  const started = performance.now();
  const counts = new Counts();
  const service = await startTestService(SERVICE, COLLECTING_GARBAGE);
  const { pid = 0 } = service.process;
  const senders = Array.from(
    { length: CONNECTIONS },
    () => new Sender(service.baseUrl, service.token),
  );
  let world: RealWorld | undefined;
  let memoryBefore: Memory | undefined;
  let memoryAfter: Memory | undefined;
  const processes = new Map<number, string>();
  try {
    world = await RealWorld.make(service);
    const run = async (each: FuzzCase, index: number): Promise<void> => {
      const sender = senders[index % senders.length];
      const answer = await sender?.send(each);
      if (answer === undefined || world === undefined) return;
      const what =
        answer.case === "grpc"
          ? `grpc ${answer.code}`
          : answer.case === "http"
            ? `http ${answer.status}`
            : answer.case;
      counts.add(each, what, problemOf(each, answer, world.hostSecret));
    };
    for (let done = 0; done < cases && counts.problems.length < MAX_PROBLEMS; done += ROUND) {
      const last = Math.min(cases, done + ROUND);
      const here = world.now;
      await atOnce(AT_ONCE, last - done, (index) =>
        run(fuzzCase(seed, first + done + index, here), index),
      );
      await rawRound(new Random(seed, `raw ${first + done}`), service, counts);
      await withDeadline(
        world.refresh(),
        ANSWER_SECONDS,
        () => new Error(`the service no longer answers after case ${first + last}`),
      );
      for (const each of descendantsOf(pid)) processes.set(each, startOf(each));
      if (last >= cases * WARM_UP_SHARE) memoryBefore ??= await settled(service);
      onRound?.(last);
    }
    memoryAfter = await settled(service);
  } catch (error) {
    world?.remove();
    throw error;
  } finally {
    for (const sender of senders) sender.close();
    await service.close().catch((error: unknown) => counts.problems.push(String(error)));
  }
  const left = [
    ...[...processes]
      .filter(([each, start]) => start !== "" && startOf(each) === start)
      .map(([each]) => `process ${each}`),
    ...mountsOf(service.folder).map((each) => `mount ${each}`),
    ...(world.hostIsUntouched() ? [] : ["a change in a folder of the host"]),
  ];
  world.remove();
  const seconds = (performance.now() - started) / 1000;
  if (memoryBefore === undefined || memoryAfter === undefined) throw new Error("no case was run");
  return { ...counts, seed, cases: counts.cases, seconds, memoryBefore, memoryAfter, left };
}

/** All that is sent for these cases, as one number: equal for equal seeds. */
export function digestOf(seed: number, numbers: Iterable<number>, world: World): string {
  const hash = createHash("sha256");
  for (const number of numbers) {
    const { headers, chunks, ending } = fuzzCase(seed, number, world);
    hash.update(JSON.stringify([headers, ending]));
    for (const chunk of chunks) hash.update(chunk);
  }
  return hash.digest("hex");
}

class Counts {
  cases = 0;
  readonly perRpc = new Map<string, number>(RPCS.map(({ name }) => [name, 0]));
  readonly perKind = new Map<CaseKind | "raw connection", number>();
  readonly answers = new Map<string, number>();
  readonly problems: string[] = [];

  add({ number, kind, rpc }: FuzzCase, answer: string, problem: string | undefined): void {
    this.cases += 1;
    increase(this.perRpc, rpc.name);
    increase(this.perKind, kind);
    increase(this.answers, answer);
    if (problem !== undefined)
      this.problems.push(`case ${number} (${kind}, ${rpc.name}): ${problem}`);
  }
}

async function rawRound(
  random: Random,
  { baseUrl, token }: { readonly baseUrl: string; readonly token: string },
  counts: Counts,
): Promise<void> {
  const connections = Array.from({ length: RAW_CONNECTIONS }, () =>
    rawConnection(token, random.pick(RPCS).path, random),
  );
  await Promise.all(connections.map((each) => play(each, Number(new URL(baseUrl).port))));
  for (const _ of connections) increase(counts.perKind, "raw connection");
}

function increase<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

async function atOnce(
  width: number,
  count: number,
  run: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next; index < count; index = next) {
      next += 1;
      await run(index);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
}

/** Once nothing is under way any more, without the garbage. */
async function settled(service: TestService): Promise<Memory> {
  await sleep(SETTLE_SECONDS * 1000);
  const { rss, heapUsed, arrayBuffers } = await service.memory();
  return { residentBytes: rss, usedBytes: heapUsed + arrayBuffers };
}

/** What is mounted from or at the folder. */
function mountsOf(folder: string): readonly string[] {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return mounts.filter((line) => line.includes(folder));
}

/** Tells a process from a later one of the same number; empty for one that is dead. */
function startOf(pid: number): string {
  const stat = procFile(pid, "stat");
  const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return state === "Z" ? "" : (fields[18] ?? "");
}

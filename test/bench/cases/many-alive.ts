import { readFileSync } from "node:fs";
import { SandboxService } from "@tidybox/protocol";
import { pause, quantile, summarize, timed } from "../measure.ts";
import { createRunning, idleSpec, type RawClient, rawClient } from "../raw-client.ts";
import { type Result, describeSample } from "../report.ts";
import { type BenchService, startService } from "../service.ts";

const TAG = "bench-many-alive";
const MIB = 1024 * 1024;
const GET = SandboxService.method.getSandbox.name;

/** As many starts as the service has at once; the others only would wait for their turn. */
const STARTED_AT_ONCE = 8;

/** Until a spare waits, and all that a first sandbox brings with it. */
const SETTLE_MILLISECONDS = 1000;

/** Folders of ended sandboxes are removed behind everybody's back. */
const LEFT_SECONDS = 30;
const LEFT_LOOK_MILLISECONDS = 500;

/** Many sandboxes alive at once: what they cost, how fast the service answers, how they go. */
export async function manyAlive(count: number): Promise<readonly Result[]> {
  await using service = await startService();
  const client = rawClient(service);
  // What a first sandbox loads and compiles is not what the others cost.
  await createRunning(client, idleSpec({}));
  await pause(SETTLE_MILLISECONDS);
  const before = counts(service);
  const availableBefore = availableBytes();
  const own = process.memoryUsage.rss();
  const ids: string[] = [];
  const startSeconds = (await timed(() => createMany(client, count, ids))) / 1000;
  const clientGrowth = process.memoryUsage.rss() - own;
  const eachBytes = (availableBefore - availableBytes() - clientGrowth) / count;
  const serviceBytes = service.residentBytes();
  const helperBytes = service.helperResidentBytes();
  const times: number[] = [];
  for (const sandboxId of ids) times.push(await timed(() => client.getSandbox({ sandboxId })));
  const get = summarize(`${GET} with ${count} alive`, times);
  const getP99 = quantile(
    times.toSorted((a, b) => a - b),
    0.99,
  );
  const started = performance.now();
  const { purgeCount, failedSandboxIds } = await client.purgeSandboxes({ tags: [TAG] });
  const answered = performance.now();
  await untilNoneIsActive(client);
  const purged = performance.now();
  const left = await leftAfter(service, before);
  const wrong = Math.abs(count - purgeCount) + failedSandboxIds.length;
  const row = (
    name: string,
    [value, unit, limit]: readonly [number, string, number],
    figures: readonly string[] = [],
  ): Result => ({ name: `${count} alive: ${name}`, value, unit, limit, figures, samples: [] });
  const seconds = (from: number, to: number): number => (to - from) / 1000;
  return [
    row(
      "started",
      [startSeconds, "s", 20],
      [`${STARTED_AT_ONCE} at a time, ${((startSeconds * 1000) / count).toFixed(1)} ms each`],
    ),
    row(
      "memory of each",
      [eachBytes / MIB, "MiB", 1],
      ["of the machine's available memory, without what this client's process has grown by"],
    ),
    row(
      "memory of the service and its helper",
      [(serviceBytes + helperBytes) / MIB, "MiB", 300],
      [
        `resident: service ${(serviceBytes / MIB).toFixed(0)} MiB, helper ${(helperBytes / MIB).toFixed(0)} MiB`,
      ],
    ),
    row(`${GET}`, [getP99, "ms (p99)", 20], [describeSample(get)]),
    row(
      "purged by tag",
      [seconds(started, purged), "s", 2],
      [
        `the one RPC answered in ${seconds(started, answered).toFixed(2)} s; all were terminal in a listing after ${seconds(started, purged).toFixed(2)} s`,
      ],
    ),
    row("purged wrongly or not at all", [wrong, "sandboxes", 0]),
    row(
      "left after the purge",
      [left.processes + left.folders, "processes and folders", 0],
      [
        `${before.processes} processes and ${before.folders} folders before, with one sandbox and a spare; ${left.processes} processes and ${left.folders} folders more after`,
      ],
    ),
  ];
}

async function createMany(client: RawClient, count: number, ids: string[]): Promise<void> {
  let begun = 0;
  await Promise.all(
    Array.from({ length: STARTED_AT_ONCE }, async () => {
      while (begun < count) {
        begun += 1;
        ids.push(await createRunning(client, idleSpec({ tags: [TAG] })));
      }
    }),
  );
}

async function untilNoneIsActive(client: RawClient): Promise<void> {
  const { sandboxes } = await client.listSandboxes({ tags: [TAG] });
  if (sandboxes.length > 0) throw new Error(`${sandboxes.length} are active after the purge`);
}

interface Counts {
  readonly processes: number;
  readonly folders: number;
}

function counts(service: BenchService): Counts {
  return { processes: service.processes().length, folders: service.sandboxFolderCount() };
}

/** More than before, once that goes no further down. */
async function leftAfter(service: BenchService, before: Counts): Promise<Counts> {
  const deadline = performance.now() + LEFT_SECONDS * 1000;
  for (;;) {
    const now = counts(service);
    const left = {
      processes: Math.max(0, now.processes - before.processes),
      folders: Math.max(0, now.folders - before.folders),
    };
    if (left.processes + left.folders === 0 || performance.now() > deadline) return left;
    await pause(LEFT_LOOK_MILLISECONDS);
  }
}

function availableBytes(): number {
  return Number(/MemAvailable:\s+(\d+)/.exec(readFileSync("/proc/meminfo", "utf8"))?.[1]) * 1024;
}

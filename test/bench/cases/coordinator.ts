import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { launchCoordinator } from "@tidybox/fixtures/launch";
import { startRun } from "@tidybox/fixtures/runner";
import { summarize, timed } from "../measure.ts";
import { type Result, describeSample } from "../report.ts";
import { startService } from "../service.ts";
import { pluginToGlobalSetup } from "../vitest-start.ts";

const GONE_TIMEOUT_SECONDS = 10;

interface Observed {
  /** What Vitest itself took in this round between plugin and global setup. */
  readonly meanwhileMs: number;
  /** How long it would have waited then for a coordinator launched by the plugin. */
  readonly waitedMs: number;
  readonly bootedMs: number;
  /** A Node that does nothing, in the same moment. */
  readonly emptyMs: number;
  readonly idleBytes: number;
  readonly goneMs: number;
}

/** What a run pays for its coordinator: the wait at its start, its memory, how soon it is gone. */
export async function coordinator(rounds: number): Promise<readonly Result[]> {
  const root = await mkdtemp(join(tmpdir(), "tidybox-bench-"));
  const before = { ...process.env };
  process.env["XDG_STATE_HOME"] = root;
  try {
    const local = await observe("local", root, rounds);
    await using service = await startService();
    process.env["CWSANDBOX_BASE_URL"] = service.connection.baseUrl;
    process.env["CWSANDBOX_API_KEY"] = service.apiKey;
    return [...local, ...(await observe("coreweave", root, rounds))];
  } finally {
    process.env = before;
    await rm(root, { recursive: true, force: true });
  }
}

async function observe(
  backend: "local" | "coreweave",
  root: string,
  rounds: number,
): Promise<readonly Result[]> {
  const all: Observed[] = [];
  for (let round = 0; round < rounds; round += 1) all.push(await observeOnce(backend, root));
  const waited = summarize(
    "waited for it",
    all.map(({ waitedMs }) => waitedMs),
  );
  const meanwhile = summarize(
    "Vitest alone, from plugin to global setup",
    all.map(({ meanwhileMs }) => meanwhileMs),
  );
  const booted = summarize(
    "from launch to answer, nothing else going on",
    all.map(({ bootedMs }) => bootedMs),
  );
  const empty = summarize(
    "a Node that does nothing, from spawn to exit",
    all.map(({ emptyMs }) => emptyMs),
  );
  const gone = summarize(
    "gone",
    all.map(({ goneMs }) => goneMs),
  );
  const mostMiB = Math.max(...all.map(({ idleBytes }) => idleBytes)) / 1024 / 1024;
  return [
    {
      name: `coordinator, backend ${backend}: on the run's critical path`,
      ...{ value: waited.medianMs, unit: "ms", limit: 150, samples: [waited] },
      figures: [
        describeSample(waited),
        `${describeSample(meanwhile)}, while the coordinator starts`,
        describeSample(booted),
        describeSample(empty),
      ],
    },
    {
      name: `coordinator, backend ${backend}: resident when idle`,
      ...{ value: mostMiB, unit: "MiB", limit: 90, figures: [], samples: [] },
    },
    {
      name: `coordinator, backend ${backend}: gone after the end of the run`,
      ...{ value: gone.p90Ms / 1000, unit: "s (p90)", limit: 2, samples: [gone] },
      figures: [describeSample(gone)],
    },
  ];
}

async function observeOnce(backend: "local" | "coreweave", root: string): Promise<Observed> {
  const meanwhileMs = await pluginToGlobalSetup();
  const emptyMs = await timed(() => once(spawn(process.execPath, ["-e", "0"]), "exit"));
  const launchedAt = performance.now();
  const launched = launchCoordinator();
  const run = await startRun({
    ...{ root, reportRoot: root, optionsSource: "the benchmark" },
    options: { backend },
    coordinator: launched,
  });
  const bootedMs = performance.now() - launchedAt;
  const waitedMs = Math.max(0, bootedMs - meanwhileMs);
  const { pid } = run.info.coordinator;
  await sleep(1000);
  const idleBytes = residentBytes(pid);
  const { failure } = await run.finish();
  if (failure !== undefined) throw new Error(failure);
  const finishedAt = performance.now();
  while (isThere(pid)) {
    if (performance.now() - finishedAt > GONE_TIMEOUT_SECONDS * 1000)
      throw new Error(`the coordinator ${pid} is still there after ${GONE_TIMEOUT_SECONDS} s`);
    await sleep(10);
  }
  return {
    meanwhileMs,
    waitedMs,
    bootedMs,
    emptyMs,
    idleBytes,
    goneMs: performance.now() - finishedAt,
  };
}

function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
}

function isThere(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

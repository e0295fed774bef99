import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launchCoordinator } from "@tidybox/fixtures/launch";
import { startRun } from "@tidybox/fixtures/runner";
import { inspect } from "../inspector.ts";
import { pause, timed } from "../measure.ts";
import { cpuMilliseconds, residentBytes } from "../process-cost.ts";
import { openLeases } from "./lease-processes.ts";
import { type Simulation, startSimulatedService } from "./simulated-service.ts";

export interface Load {
  readonly leases: number;
  /** Over which the leases are spread. */
  readonly processes: number;
  readonly slots: number;
  /** How many sandboxes each lease has or waits for at once. */
  readonly atOnce: number;
}

/** What the coordinator of one run has cost between two looks at it. */
export interface Stretch {
  /** Sandboxes of the run at the end of it. */
  readonly upTo: number;
  readonly sandboxes: number;
  readonly seconds: number;
  readonly cpuMs: number;
  /** At its end, with everything released: in use after a collection of garbage. */
  readonly heapBytes: number;
  /** Before that collection. */
  readonly residentBytes: number;
}

/** For the last stops and their answers. */
const SETTLE_MILLISECONDS = 1500;

/**
 * One run over a simulated service, looked at whenever it has had so many sandboxes. With
 * `BENCH_CPU_PROFILE=<path>` each stretch leaves a profile of the coordinator beside that path; its
 * own cost is in the figures then.
 */
export async function observeRun(
  load: Load,
  simulation: Simulation,
  marks: readonly number[],
): Promise<readonly Stretch[]> {
  const root = await mkdtemp(join(tmpdir(), "tidybox-bench-"));
  const before = { ...process.env };
  await using service = await startSimulatedService(simulation);
  Object.assign(process.env, service.env, { XDG_STATE_HOME: root });
  try {
    const run = await startRun({
      ...{ root, reportRoot: root, optionsSource: "the benchmark" },
      options: { backend: "coreweave", maxSandboxes: load.slots },
      coordinator: launchCoordinator(),
    });
    try {
      await using leases = await openLeases(run.info, load.leases, load.processes);
      const { pid } = run.info.coordinator;
      const stretches: Stretch[] = [];
      for (const upTo of marks) {
        const sandboxes = upTo - (stretches.at(-1)?.upTo ?? 0);
        const cpuBefore = cpuMilliseconds(pid);
        const work = () => leases.work({ cycles: sandboxes, atOnce: load.atOnce });
        const ms = await timed(() => profiled(pid, `${simulation.startMs}-${upTo}`, work));
        await pause(SETTLE_MILLISECONDS + simulation.stopMs);
        const costs = {
          cpuMs: cpuMilliseconds(pid) - cpuBefore,
          residentBytes: residentBytes(pid),
        };
        using inspector = await inspect(pid);
        const heapBytes = await inspector.usedHeapBytes();
        stretches.push({ upTo, sandboxes, seconds: ms / 1000, ...costs, heapBytes });
      }
      return stretches;
    } finally {
      const { failure } = await run.finish();
      if (failure !== undefined) process.stderr.write(`${failure}\n`);
    }
  } finally {
    process.env = before;
    await rm(root, { recursive: true, force: true });
  }
}

async function profiled(pid: number, name: string, body: () => Promise<void>): Promise<void> {
  const path = process.env["BENCH_CPU_PROFILE"];
  if (path === undefined) return body();
  using inspector = await inspect(pid);
  await inspector.startProfile();
  await body();
  await writeFile(`${path}-${name}.cpuprofile`, await inspector.stopProfile());
}

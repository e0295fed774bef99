import { once } from "node:events";
import { type RunInfo, Worker } from "@tidybox/fixtures";

/** What one process of lease holders is told. */
export interface HoldersTask {
  readonly info: RunInfo;
  readonly leases: number;
}

/** One stretch of work, over all the leases of the process. */
export interface HoldersStretch {
  readonly cycles: number;
  /** How many each lease has at once. */
  readonly atOnce: number;
}

// Many leases in one process: what a suite of that many workers asks of its coordinator.
const [task] = (await once(process, "message")) as [HoldersTask];
const workers: Worker[] = [];
for (let index = 0; index < task.leases; index += 1) workers.push(await Worker.open(task.info));
process.send?.("open");
process.on("message", (message: HoldersStretch | "close") => {
  if (message === "close") void close();
  else void work(message).then(() => process.send?.("done"));
});

async function work({ cycles, atOnce }: HoldersStretch): Promise<void> {
  let left = cycles;
  const lane = async (worker: Worker, index: number): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const owner = { testFile: "a.test.ts", testName: `test ${left} of lane ${index}` };
      const sandbox = await worker.acquire(
        {},
        { ...owner, testTimeoutSeconds: 60, ownerId: `${index}-${left}` },
      );
      await worker.release([sandbox], { cause: "test", keep: false });
    }
  };
  const lanes = workers.flatMap((worker) => Array.from({ length: atOnce }, () => worker));
  await Promise.all(lanes.map(lane));
}

async function close(): Promise<void> {
  await Promise.all(workers.map((worker) => worker.close()));
  process.disconnect();
}

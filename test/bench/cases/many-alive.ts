import { readFileSync } from "node:fs";
import { Sandbox, Session } from "@tidybox/client";
import { summarize, timed } from "../measure.ts";
import { type Result, describeSample } from "../report.ts";
import { startService } from "../service.ts";

/** Many sandboxes alive at once: what each costs, and how fast the service still answers. */
export async function manyAlive(count: number, rounds: number): Promise<readonly Result[]> {
  await using service = await startService();
  const availableBefore = availableBytes();
  const residentBefore = service.residentBytes();
  const session = new Session({ connection: service.connection });
  const startSeconds =
    (await timed(async () => {
      for (let made = 0; made < count; made += 8) {
        await Promise.all(
          Array.from({ length: Math.min(8, count - made) }, () => session.sandbox()),
        );
      }
    })) / 1000;
  const perSandbox = (availableBefore - availableBytes()) / count;
  const residentGrowth = (service.residentBytes() - residentBefore) / count;
  const all = await Sandbox.list({ connection: service.connection }).toArray();
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const sandbox = all[round % all.length];
    if (sandbox !== undefined) times.push(await timed(() => sandbox.status()));
  }
  const stopSeconds = (await timed(() => session.close({ gracefulShutdownSeconds: 0 }))) / 1000;
  const get = summarize(`Get with ${all.length} alive`, times);
  return [
    {
      name: `Get with ${all.length} sandboxes alive`,
      value: get.p90Ms,
      unit: "ms (p90)",
      limit: 9.99,
      figures: [
        describeSample(get),
        `memory for each idle sandbox: ${(perSandbox / 1024).toFixed(0)} KiB of the machine's available memory, of it ${(residentGrowth / 1024).toFixed(0)} KiB in the service`,
        `started in ${startSeconds.toFixed(2)} s (8 at a time), stopped by the session in ${stopSeconds.toFixed(2)} s`,
      ],
      samples: [get],
    },
  ];
}

function availableBytes(): number {
  return Number(/MemAvailable:\s+(\d+)/.exec(readFileSync("/proc/meminfo", "utf8"))?.[1]) * 1024;
}

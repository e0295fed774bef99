import { Sandbox, removeCleanupHandlers } from "@tidybox/client";
import { reap } from "@tidybox/fixtures";
import { watchCalls } from "../../support/watched-calls.ts";
import { timed } from "../measure.ts";
import type { Result } from "../report.ts";
import { startService } from "../service.ts";

const STARTS_AT_ONCE = 8;
const SETTLE_SECONDS = 0.05;

/** What a crash of so many sandboxes' makers costs to clean up, in time and in RPCs. */
export async function reapLeaked(counts: readonly number[]): Promise<readonly Result[]> {
  // They are leaked on purpose.
  removeCleanupHandlers();
  await using service = await startService();
  const { connection } = service;
  const bystander = await Sandbox.run({ tags: ["bystander"], connection });
  const calls = watchCalls(connection);
  const rpcs: number[] = [];
  const figures: string[] = [];
  let seconds = Number.NaN;
  for (const count of counts) {
    const tags = [`leaked-${count}`];
    for (let made = 0; made < count; made += STARTS_AT_ONCE) {
      const some = Math.min(STARTS_AT_ONCE, count - made);
      await Promise.all(Array.from({ length: some }, () => Sandbox.run({ tags, connection })));
    }
    calls.reset();
    let told = "";
    seconds =
      (await timed(async () => {
        const result = await reap({
          ...{ connection, tags },
          settleSeconds: SETTLE_SECONDS,
          timeoutSeconds: 60,
        });
        const reaped = result.reaped.length + result.moreReaped;
        if (reaped !== count || result.left.length > 0 || result.unverified !== undefined)
          throw new Error(`${reaped} of ${count} were reaped: ${JSON.stringify(result.left)}`);
        told = `${result.reaped.length} of them by name`;
      })) / 1000;
    const each = [...calls.counts].map(([name, number]) => `${number} ${name}`).join(", ");
    rpcs.push(calls.total());
    figures.push(`${count} sandboxes, ${told}: ${seconds.toFixed(3)} s, ${each}`);
  }
  if ((await bystander.status()).state !== "running") throw new Error("a bystander was stopped");
  await bystander.stop();
  const most = Math.max(...rpcs);
  return [
    {
      name: `reaping ${counts.at(-1)} leaked sandboxes by their tag`,
      ...{ value: seconds, unit: "s", limit: 2, figures, samples: [] },
    },
    {
      name: `RPCs of that beyond those of ${counts[0]}`,
      ...{ value: most - (rpcs[0] ?? 0), unit: "RPCs", limit: 2, samples: [] },
      figures: [`RPCs for ${counts.join(", ")} sandboxes: ${rpcs.join(", ")}`],
    },
  ];
}

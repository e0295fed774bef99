import { sideBySide } from "../measure.ts";
import { createRunning, idleSpec, rawClient } from "../raw-client.ts";
import { describeSample, type Result } from "../report.ts";
import { startService } from "../service.ts";

const TAG = "bench-burst";

/** A thousand must be there within 20 s. */
const LIMIT_MILLISECONDS = 20;

/** The folders of the round before are removed meanwhile. */
const PAUSE_MILLISECONDS = 1500;

/** Many creates at once: what each costs where one spare at most waits, and nothing is left out. */
export async function burst(count: number, rounds: number): Promise<readonly Result[]> {
  await using service = await startService();
  const client = rawClient(service);
  const spec = idleSpec({ tags: [TAG] });
  const once = async (): Promise<number> => {
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: count }, () => createRunning(client, spec)));
    const each = (performance.now() - startedAt) / count;
    await client.purgeSandboxes({ tags: [TAG] });
    return each;
  };
  const name = `each of ${count} creates at once, until all are RUNNING`;
  const samples = await sideBySide([{ name, once }], rounds, 1, PAUSE_MILLISECONDS);
  return [
    {
      name,
      value: samples[0]?.medianMs ?? Number.NaN,
      unit: "ms",
      limit: LIMIT_MILLISECONDS,
      figures: samples.map(describeSample),
      samples,
    },
  ];
}

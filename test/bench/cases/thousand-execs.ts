import { Sandbox } from "@tidybox/client";
import { summarize, timed } from "../measure.ts";
import { describeSample, type Result } from "../report.ts";
import { startService } from "../service.ts";

/** Of all that is counted, what one more thousand may leave: the collector's own noise. */
const NOISE_BYTES = 4 * 1024 * 1024;

interface Held {
  readonly heapBytes: number;
  readonly resources: number;
  readonly serviceDescriptors: number;
}

/**
 * Many commands in one sandbox, one after another: what is held after each thousand. Heap after a
 * forced collection; handles, requests and timers as `process.getActiveResourcesInfo` counts them.
 * That a listener is not added each time shows in the heap, and as a MaxListeners warning, which
 * fails the run.
 */
export async function thousandExecs(count: number): Promise<readonly Result[]> {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error("run the benchmarks with node --expose-gc");
  await using service = await startService();
  await using sandbox = await Sandbox.run({ connection: service.connection });
  const warnings: Error[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  process.on("warning", onWarning);
  const held = async (): Promise<Held> => {
    for (let pass = 0; pass < 3; pass += 1) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      await gc({ type: "major", execution: "async" });
    }
    return {
      heapBytes: process.memoryUsage().heapUsed,
      resources: process.getActiveResourcesInfo().length,
      serviceDescriptors: service.openDescriptors(),
    };
  };
  const times: number[] = [];
  const some = async (): Promise<void> => {
    for (let done = 0; done < count; done += 1)
      times.push(await timed(() => sandbox.exec(["/usr/bin/true"], { check: true })));
  };
  await some();
  const before = await held();
  await some();
  const after = await held();
  process.off("warning", onWarning);
  if (warnings[0] !== undefined) throw warnings[0];
  const sample = summarize("one exec", times);
  const growth = (after.heapBytes - before.heapBytes) / (1024 * 1024);
  return [
    {
      name: `${count} execs more in one sandbox: growth of the client's heap`,
      value: Math.max(0, growth),
      unit: "MiB",
      limit: NOISE_BYTES / (1024 * 1024),
      figures: [
        `heap ${(before.heapBytes / 1e6).toFixed(1)} MB before, ${(after.heapBytes / 1e6).toFixed(1)} MB after, both after ${count} execs at least`,
        describeSample(sample),
      ],
      samples: [sample],
    },
    {
      name: `${count} execs more in one sandbox: growth of handles, requests and timers, and of the service's descriptors`,
      value: Math.max(
        0,
        after.resources - before.resources,
        after.serviceDescriptors - before.serviceDescriptors,
      ),
      unit: "more",
      limit: 3,
      figures: [
        `${before.resources} and ${before.serviceDescriptors} before, ${after.resources} and ${after.serviceDescriptors} after`,
      ],
      samples: [],
    },
  ];
}

import type { FaultOptions } from "./fault-options.ts";
import type { FaultPlan } from "./fault-plan.ts";

/** For a person: what goes wrong, and the seed that makes it go wrong again. */
export function describeFaults(options: FaultOptions, { seed }: FaultPlan): string {
  const kinds = { latency: options.latency, fail: options.fail, lose: options.lose };
  const said = Object.entries(kinds).flatMap(([kind, values]) =>
    Object.keys(values ?? {}).length === 0
      ? []
      : [
          `${kind} ${Object.entries(values ?? {})
            .map(([key, value]) => `${key}=${value}`)
            .join(",")}`,
        ],
  );
  if (options.createRate !== undefined) said.push(`create rate ${options.createRate}`);
  return `faults are injected on purpose: ${said.join("; ")}; seed ${seed} repeats them`;
}

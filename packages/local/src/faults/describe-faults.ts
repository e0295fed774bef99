import type { FaultOptions } from "./fault-options.ts";
import type { FaultPlan } from "./fault-plan.ts";

/** For a person: what goes wrong, and the seed that makes it go wrong again. */
export function describeFaults(options: FaultOptions, { seed }: FaultPlan): string {
  const { latency, fail, dropAnswer } = options;
  const kinds = { latency, fail, "drop answer": dropAnswer };
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
  if (options.quota !== undefined) said.push(`quota ${options.quota}`);
  return `faults are injected on purpose: ${said.join("; ")}; seed ${seed} repeats them`;
}

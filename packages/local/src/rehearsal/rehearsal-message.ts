import type { FaultOptions } from "../faults/fault-options.ts";
import type { Rehearsal } from "../gen/tidybox/local/v1/rehearsal_pb.ts";

type RehearsalFields = Omit<Rehearsal, "$typeName" | "$unknown">;

/** As the wire carries them: what is not asked for is empty there, or unset. */
export function toMessage(options: FaultOptions): RehearsalFields {
  return {
    latency: { ...options.latency },
    fail: { ...options.fail },
    dropAnswer: { ...options.dropAnswer },
    createRate: options.createRate ?? "",
    ...(options.quota !== undefined && { quota: options.quota }),
    ...(options.seed !== undefined && { seed: options.seed }),
  };
}

export function fromMessage(rehearsal: RehearsalFields): FaultOptions {
  const { latency, fail, dropAnswer, createRate, quota, seed } = rehearsal;
  const isSaid = (values: Readonly<Record<string, string>>) => Object.keys(values).length > 0;
  return {
    ...(isSaid(latency) && { latency }),
    ...(isSaid(fail) && { fail }),
    ...(isSaid(dropAnswer) && { dropAnswer }),
    ...(createRate !== "" && { createRate }),
    ...(quota !== undefined && { quota }),
    ...(seed !== undefined && { seed }),
  };
}

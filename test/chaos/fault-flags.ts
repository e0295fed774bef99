import type { FaultOptions } from "@tidybox/local";

/** As `tidybox rehearse` takes them. A quota is for the run: others' sandboxes come on top. */
export function faultFlags(faults: FaultOptions, othersSandboxes: number): readonly string[] {
  const { latency, fail, dropAnswer, createRate, quota, seed } = faults;
  const lists = { "--latency": latency, "--fail": fail, "--drop-answer": dropAnswer };
  return [
    ...Object.entries(lists).flatMap(([flag, values]) =>
      Object.entries(values ?? {}).flatMap(([key, value]) => [flag, `${key}=${value}`]),
    ),
    ...(createRate === undefined ? [] : ["--create-rate", createRate]),
    ...(quota === undefined ? [] : ["--quota", String(quota + othersSandboxes)]),
    ...(seed === undefined ? [] : ["--seed", String(seed)]),
  ];
}

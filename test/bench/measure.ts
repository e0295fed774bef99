/** Milliseconds of repeated runs of one thing. */
export interface Sample {
  readonly name: string;
  readonly medianMs: number;
  readonly p10Ms: number;
  readonly p90Ms: number;
  readonly runs: number;
}

export interface Contender {
  readonly name: string;
  /** Runs the thing once and answers how long it took, in milliseconds. */
  readonly once: () => Promise<number>;
}

/**
 * Times contenders side by side in one run: a round runs each of them once, and each round begins
 * with another one, so that a drift of the machine and the neighbour's warm cache hit all alike.
 * The pause before each is for what the one before has left to be done behind everybody's back.
 */
export async function sideBySide(
  contenders: readonly Contender[],
  rounds: number,
  warmup: number,
  pauseMilliseconds = 0,
): Promise<readonly Sample[]> {
  const times = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  for (let round = -warmup; round < rounds; round += 1) {
    for (let index = 0; index < contenders.length; index += 1) {
      const contender =
        contenders[(((index + round) % contenders.length) + contenders.length) % contenders.length];
      if (contender === undefined) continue;
      if (pauseMilliseconds > 0) await pause(pauseMilliseconds);
      const ms = await contender.once();
      if (round >= 0) times.get(contender.name)?.push(ms);
    }
  }
  return contenders.map(({ name }) => summarize(name, times.get(name) ?? []));
}

export function summarize(name: string, times: readonly number[]): Sample {
  const sorted = times.toSorted((a, b) => a - b);
  return {
    name,
    medianMs: quantile(sorted, 0.5),
    p10Ms: quantile(sorted, 0.1),
    p90Ms: quantile(sorted, 0.9),
    runs: sorted.length,
  };
}

export function quantile(sorted: readonly number[], q: number): number {
  if (sorted.length === 0) return Number.NaN;
  const position = (sorted.length - 1) * q;
  const low = sorted[Math.floor(position)] ?? Number.NaN;
  const high = sorted[Math.ceil(position)] ?? Number.NaN;
  return low + (high - low) * (position - Math.floor(position));
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

export async function timed(body: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await body();
  return performance.now() - startedAt;
}

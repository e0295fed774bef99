import { setTimeout as sleep } from "node:timers/promises";
import type { FaultOptions } from "./fault-options.ts";
import {
  type FailureCode,
  type FaultPlan,
  type LatencyRange,
  planFaults,
  type When,
} from "./fault-plan.ts";
import { valueFor } from "./rpc-names.ts";
import { seededRandom } from "./seeded-random.ts";

/** What happens to one call. */
export interface Fate {
  readonly latencySeconds: number;
  readonly failure: FailureCode | undefined;
  readonly lost: boolean;
}

/** Decides over calls and sandboxes, each RPC by its own count and its own random numbers. */
export class Faults {
  #options: FaultOptions;
  #plan: FaultPlan;
  #randoms = new Map<string, () => number>();
  #counts = new Map<string, number>();
  readonly #closing = new AbortController();

  /** Throws LocalServiceError for options that are wrong. */
  constructor(options: FaultOptions) {
    this.#plan = planFaults(options);
    this.#options = options;
  }

  /** As they were asked for, with the seed that is used. */
  get options(): FaultOptions {
    return { ...this.#options, seed: this.#plan.seed };
  }

  get plan(): FaultPlan {
    return this.#plan;
  }

  /**
   * From now on these, counted anew. Calls under way keep their fate. Throws LocalServiceError for
   * options that are wrong, and changes nothing then.
   */
  change(options: FaultOptions): void {
    this.#plan = planFaults(options);
    this.#options = options;
    this.#randoms = new Map();
    this.#counts = new Map();
  }

  /** Of the next call. Every number is drawn whether it is needed or not: faults do not move others. */
  fateOf(rpc: string): Fate {
    const count = (this.#counts.get(rpc) ?? 0) + 1;
    this.#counts.set(rpc, count);
    const fail = valueFor(this.#plan.fail, rpc);
    const failure = this.#happens(fail?.when, `fail ${rpc}`, count) ? fail?.code : undefined;
    return {
      latencySeconds: this.#latencySeconds(rpc, valueFor(this.#plan.latency, rpc)),
      failure,
      lost: this.#happens(valueFor(this.#plan.dropAnswer, rpc), `dropAnswer ${rpc}`, count),
    };
  }

  /** Waits as long as a sandbox is to stay CREATING or TERMINATING; undefined: no time at all. */
  delay(what: "start" | "stop"): Promise<void> | undefined {
    const range = this.#plan.latency.get(what);
    if (range === undefined) return undefined;
    return this.wait(this.#latencySeconds(what, range));
  }

  /** Ends early, without an error, when the service closes; throws what the signal aborts with. */
  async wait(seconds: number, signal?: AbortSignal): Promise<void> {
    const closing = this.#closing.signal;
    const either = signal === undefined ? closing : AbortSignal.any([signal, closing]);
    await sleep(seconds * 1000, undefined, { signal: either }).catch(() => {});
    if (!closing.aborted) signal?.throwIfAborted();
  }

  /** Nothing is waited for any more. */
  close(): void {
    this.#closing.abort();
  }

  #latencySeconds(name: string, range: LatencyRange | undefined): number {
    const drawn = this.#draw(`latency ${name}`);
    if (range === undefined) return 0;
    return range.leastSeconds + drawn * (range.mostSeconds - range.leastSeconds);
  }

  #happens(when: When | undefined, name: string, count: number): boolean {
    const drawn = this.#draw(name);
    if (when === undefined) return false;
    return when.kind === "first" ? count <= when.count : drawn < when.value;
  }

  #draw(name: string): number {
    let random = this.#randoms.get(name);
    if (random === undefined) {
      random = seededRandom(this.#plan.seed, name);
      this.#randoms.set(name, random);
    }
    return random();
  }
}

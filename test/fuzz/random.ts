import { seededRandom } from "../../packages/local/src/faults/seeded-random.ts";

/** Choices that a seed and a name repeat, on any machine. */
export class Random {
  readonly #next: () => number;

  constructor(seed: number, name: string) {
    this.#next = seededRandom(seed, name);
  }

  /** True so often, of 1. */
  chance(share: number): boolean {
    return this.#next() < share;
  }

  /** From 0 up to, and not with, `end`. */
  below(end: number): number {
    return Math.floor(this.#next() * end);
  }

  pick<T>(choices: readonly T[]): T {
    const chosen = choices[this.below(choices.length)];
    if (chosen === undefined) throw new Error("nothing to pick from");
    return chosen;
  }

  /** Each as often as its weight says. */
  weighted<T>(choices: readonly (readonly [weight: number, choice: T])[]): T {
    let left = this.#next() * choices.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, choice] of choices) {
      left -= weight;
      if (left < 0) return choice;
    }
    return this.pick(choices)[1];
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}

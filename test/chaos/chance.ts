import { seededRandom } from "../../packages/local/src/faults/seeded-random.ts";

/** What is drawn by lot in a cell. A seed and the cell's name repeat it. */
export class Chance {
  readonly #draw: () => number;

  constructor(seed: number, name: string) {
    this.#draw = seededRandom(seed, name);
  }

  /** A number from `least` up to `most`. */
  between(least: number, most: number): number {
    return least + this.#draw() * (most - least);
  }

  oneOf<T>(choices: readonly T[]): T {
    const chosen = choices[Math.floor(this.#draw() * choices.length)];
    if (chosen === undefined) throw new Error("there is nothing to choose from");
    return chosen;
  }

  shuffled<T>(all: readonly T[]): readonly T[] {
    return all
      .map((each) => ({ each, at: this.#draw() }))
      .toSorted((one, other) => one.at - other.at)
      .map(({ each }) => each);
  }
}

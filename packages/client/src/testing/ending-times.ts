/** How long it took from an end until nothing was left; shown, and nowhere judged. */
export class EndingTimes {
  readonly #rows: (readonly [string, number, number])[] = [];

  note(ending: string, sandboxes: number, fromMs: number, toMs: number): void {
    this.#rows.push([ending, sandboxes, toMs - fromMs]);
  }

  print(): void {
    const width = Math.max(...this.#rows.map(([ending]) => ending.length), 6);
    const lines = this.#rows.map(
      ([ending, sandboxes, ms]) =>
        `${ending.padEnd(width)}  ${String(sandboxes).padStart(9)}  ${ms.toFixed(0).padStart(6)} ms`,
    );
    process.stdout.write(
      `\n${"ending".padEnd(width)}  sandboxes  until nothing was left\n${lines.join("\n")}\n`,
    );
  }
}

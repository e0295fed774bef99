import type { Touched } from "./report.ts";

/** A published package, and what is known of it. */
export interface KnownPackage {
  readonly name: string;
  /** What its exercise comes to. */
  readonly answer: unknown;
  /** May hold matchers of the test framework. */
  readonly touched: Readonly<Record<keyof Touched, unknown>>;
}

const NOTHING = { files: [], network: [], programs: [], variables: [] };

/**
 * The packages of the suite; to check another, add it here.
 *
 * @param atLeast the framework's matcher for a list that has these, and perhaps others
 */
export function knownPackages(
  atLeast: (names: readonly string[]) => unknown,
): readonly KnownPackage[] {
  return [
    {
      name: "chalk",
      answer: "\u001B[1m\u001B[31mstop\u001B[39m\u001B[22m",
      // It asks the environment whether colours are wanted, and that is all.
      touched: { ...NOTHING, variables: atLeast(["FORCE_COLOR"]) },
    },
    {
      name: "nanoid",
      answer: { different: 1000, wellFormed: true, ownAlphabet: true },
      touched: NOTHING,
    },
    { name: "picomatch", answer: [true, true, false, false], touched: NOTHING },
    {
      name: "semver",
      answer: { newest: "1.9.0", sorted: ["0.9.9", "1.0.0-rc.9", "1.0.0-rc.10", "1.0.0"] },
      touched: { ...NOTHING, variables: ["NODE_DEBUG"] },
    },
  ];
}

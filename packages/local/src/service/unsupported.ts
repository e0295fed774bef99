/** One thing that a spec asks for and one machine cannot give. */
export interface Unsupported {
  /** Relative to the spec. */
  readonly field: string;
  /** In words that go on after "does not have". */
  readonly what: string;
}

/** Whatever of these holds. */
export function holding(
  ...cases: readonly (readonly [holds: boolean, field: string, what: string])[]
): readonly Unsupported[] {
  return cases.filter(([holds]) => holds).map(([, field, what]) => ({ field, what }));
}

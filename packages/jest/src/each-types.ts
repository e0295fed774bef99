import type { TestName } from "./types.ts";

export type Rows = readonly unknown[] | readonly [unknown];

/** Defines a test for each case. The timeout is in milliseconds. */
type DefineCases<Arguments extends readonly unknown[], Result> = (
  name: TestName,
  fn: (...args: [...Arguments]) => Result,
  timeout?: number,
) => void;

/**
 * For rows of no known length: nobody can say which parameter is the last. Their own types, or what
 * the parameters are annotated with: `(a: number, b: number, { sandbox }: SandboxFixtures) => …`.
 */
type DefineOpenRows<Row extends readonly unknown[], Last, Result> = DefineCases<Row, Result> &
  DefineCases<(Row[number] & Last)[], Result>;

type IsUnion<T, Each = T> = T extends unknown ? ([Each] extends [T] ? false : true) : never;

type HasOneLength<Row extends readonly unknown[]> = number extends Row["length"]
  ? false
  : IsUnion<Row["length"]> extends true
    ? false
    : true;

export type DefineRows<Row extends readonly unknown[], Last, Result> =
  HasOneLength<Row> extends true
    ? DefineCases<[...Row, Last], Result>
    : DefineOpenRows<Row, Last, Result>;

/** Jest's `each`: the arguments of the case come first, the fixtures last. */
export interface SandboxEach<Last, Result> {
  /** A list of rows, each of them the first arguments. */
  <Row extends Rows>(table: readonly Row[]): DefineRows<Row, Last, Result>;
  /** A list of objects or single values. */
  <Case>(table: readonly Case[]): DefineCases<[Case, Last], Result>;
  /** A table in a template: each row an object by the heading's names. */
  <Values extends unknown[]>(
    strings: TemplateStringsArray,
    ...values: Values
  ): DefineCases<[Record<string, Values[number]>, Last], Result>;
  /** The same, with the type of a row given: `test.each<{ a: number }>`. */
  <Row extends Record<string, unknown>>(
    strings: TemplateStringsArray,
    ...values: unknown[]
  ): DefineCases<[Row, Last], Result>;
}

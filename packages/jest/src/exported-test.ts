import type { GlobalTest, TestFunction } from "./circus/circus.ts";

/** A test that is being defined through the exported `test`. */
export interface Definition {
  /** Defines it with the framework; `fn` may be another than the user's. */
  readonly define: (fn: TestFunction) => unknown;
  readonly name: string;
  readonly fn: TestFunction;
  readonly isConcurrent: boolean;
  /** Set for cases of a `test.each`. */
  readonly table?: unknown;
}

/**
 * The framework's `test` with all its variants, where each definition of a test goes through `on`.
 */
export function decorateTest(
  test: GlobalTest,
  on: (definition: Definition) => unknown,
): GlobalTest {
  return decorate(test, on, false);
}

function decorate(
  variant: GlobalTest,
  on: (definition: Definition) => unknown,
  isConcurrent: boolean,
): GlobalTest {
  return new Proxy(variant, {
    apply: (target, _self, [name, fn, ...rest]: [string, TestFunction, number?]) =>
      on({ define: (body) => target(name, body, ...rest), name, fn, isConcurrent }),
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      if (key === "each") return decorateEach(target, on, isConcurrent);
      // No function of a test is given to it, and its last parameter is no timeout.
      if (key === "todo") return value;
      return decorate(value as GlobalTest, on, isConcurrent || key === "concurrent");
    },
  });
}

function decorateEach(
  variant: GlobalTest,
  on: (definition: Definition) => unknown,
  isConcurrent: boolean,
): NonNullable<GlobalTest["each"]> {
  return (table, ...data) => {
    const register = variant.each?.(table, ...data);
    if (register === undefined) throw new TypeError("this variant of test has no each");
    return (name, fn, ...rest) =>
      on({ define: (body) => register(name, body, ...rest), name, fn, isConcurrent, table });
  };
}

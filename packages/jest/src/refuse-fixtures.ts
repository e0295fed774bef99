import { ConfigurationError } from "@tidybox/client/errors";
import type { GlobalTest, TestFunction } from "./circus/circus.ts";
import { wantedFixtures } from "./circus/parameters.ts";
import { argumentsOfCase } from "./circus/rows.ts";
import { type Definition, decorateTest } from "./exported-test.ts";
import { FIXTURE_NAMES } from "./fixture-names.ts";

/**
 * In a file whose environment is not ours, tests that ask the global `test` for fixtures fail with
 * what to do about it: left to itself, Jest waits for a `done` that their functions never call.
 */
export function refuseFixtures(): void {
  const globals = globalThis as unknown as Record<string, GlobalTest | undefined>;
  for (const name of ["test", "it", "fit"]) {
    const test = globals[name];
    if (test !== undefined) globals[name] = decorateTest(test, define);
  }
}

function define({ define: defineWith, fn, table }: Definition): unknown {
  if (typeof fn !== "function" || !asksForFixtures(fn, table)) return defineWith(fn);
  // Made here, where the test is defined: that is where it points.
  const error = new ConfigurationError({
    message:
      "Fixtures need the environment of @tidybox/jest, which this test file does not have: " +
      "a testEnvironment in the configuration or a docblock @jest-environment takes its place.",
    advice:
      "Leave it out, and name that environment in testEnvironmentOptions.baseEnvironment of the preset; " +
      'or take test from "@tidybox/jest" in this file.',
  });
  return defineWith(() => {
    throw error;
  });
}

function asksForFixtures(fn: TestFunction, table: unknown): boolean {
  const before = table === undefined ? 0 : argumentsOfCase(table);
  const wanted = wantedFixtures(fn, { before });
  return wanted.kind === "named" && wanted.names.some((name) => FIXTURE_NAMES.includes(name));
}

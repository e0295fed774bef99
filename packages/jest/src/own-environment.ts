import { relative } from "node:path";
import { afterAll, afterEach, expect } from "@jest/globals";
import { ConfigurationError } from "@tidybox/client/errors";
import type { TestFunction } from "./circus/circus.ts";
import { wantedFixtures } from "./circus/parameters.ts";
import { argumentsOfCase } from "./circus/rows.ts";
import type { Definition } from "./exported-test.ts";
import type { TestAttempt } from "./file-fixtures.ts";
import { loadOutside } from "./load-outside.ts";
import { createRealm } from "./realm/realm.ts";

/** What the exported functions do with a definition of a test, and with a function of a hook. */
export interface WithoutEnvironment {
  defineTest(definition: Definition): unknown;
  /** A hook's function as Jest may have it. */
  hook(name: string, fn: TestFunction): TestFunction;
}

/**
 * The exported `test` and hooks in a file whose environment is not ours, such as one with a docblock
 * `@jest-environment jsdom`: what the environment does elsewhere is done around each function here.
 *
 * @param folder where this package's built files are
 */
export function fixturesWithoutEnvironment(folder: string): WithoutEnvironment {
  const { FileFixtures, addToErrors } = loadOutside(folder);
  const realm = createRealm();
  // The project's root is not known here; Jest is nearly always started in it.
  const testFile = relative(process.cwd(), expect.getState().testPath ?? "");
  const file = new FileFixtures(undefined, realm, testFile);
  /** Of tests that run one after the other: their hooks may end what a timeout has left open. */
  const open = new Set<TestAttempt>();
  const endAll = async (): Promise<void> => {
    await Promise.all([...open].map((attempt) => attempt.end({ failed: true }, () => {})));
    open.clear();
  };
  afterEach(endAll);
  afterAll(() => file.end());

  const hook = (hookName: string, fn: TestFunction): TestFunction => {
    const wanted = wantedFixtures(fn, { explicit: true });
    if (wanted.kind === "nothing") return fn;
    return async function (this: unknown) {
      const values = await file
        .forHookWithoutEnvironment(wanted, hookName)
        .catch((error: unknown) => {
          throw realm.enter(error);
        });
      return Reflect.apply(fn, this, [values]);
    };
  };

  const defineTest = ({ define, name, fn, isConcurrent, table }: Definition): unknown => {
    if (typeof fn !== "function") return define(fn);
    const before = table === undefined ? 0 : argumentsOfCase(table);
    const wanted = wantedFixtures(fn, { before, explicit: true });
    if (wanted.kind === "nothing") return define(fn);
    const withFixtures: TestFunction = async function (this: unknown, ...args) {
      const testName = expect.getState().currentTestName ?? name;
      const attempt = file.begin({ name: testName, timeoutSeconds: 0, options: [] });
      if (!isConcurrent) open.add(attempt);
      const errors: unknown[] = [];
      try {
        return await Reflect.apply(fn, this, [...args, await attempt.fixtures(wanted)]);
      } catch (error) {
        errors.push(realm.enter(error));
        throw errors[0];
      } finally {
        open.delete(attempt);
        await attempt.end({ failed: errors.length > 0 }, (text) => {
          // oxlint-disable-next-line no-console -- Jest attributes it to the test
          if (!addToErrors(errors, text)) console.info(text);
        });
      }
    };
    return define(withFixtures);
  };
  return { defineTest, hook };
}

/** @throws ConfigurationError always: which describe it stands in, only our environment knows */
export function useWithoutEnvironment(): never {
  throw needsEnvironment("test.use() needs");
}

function needsEnvironment(what: string): ConfigurationError {
  return new ConfigurationError({
    message: `${what} the environment of @tidybox/jest, which this test file does not have.`,
    advice:
      'Use preset: "@tidybox/jest" (over another environment with testEnvironmentOptions.baseEnvironment), or ask for the fixtures in the test.',
  });
}

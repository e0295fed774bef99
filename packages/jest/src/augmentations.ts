import type {} from "@jest/types";
import type { SandboxFixtures } from "@tidybox/fixtures";
import type {} from "expect";
import type { DefineRows, Rows } from "./each-types.ts";
import type {
  JestHook,
  JestTest,
  JestTestOnly,
  JestTestSkipped,
  JestWorkerHook,
  SandboxMatchers,
} from "./types.ts";

// What `@types/jest` declares. Of `beforeEach` and its like it leaves nothing open but the type of
// `done`: theirs stand in ../globals.d.ts.
declare global {
  namespace jest {
    // Not a type of its own for fixtures: a parameter is typed by the first overload that is tried,
    // and so it must be the same in all of them.
    interface DoneCallback extends SandboxFixtures {}

    interface It {
      (name: string, fn: (fixtures: DoneCallback) => PromiseLike<unknown>, timeout?: number): void;
    }

    // Of what is no row the framework's own last argument is `done`.
    interface Each {
      <Row extends Rows>(table: readonly Row[]): DefineRows<Row, DoneCallback, unknown>;
    }

    interface Matchers<R> extends SandboxMatchers<R> {}
  }
}

// What `@jest/globals` exports is `Global.GlobalAdditions["test"]` and so on.
declare module "@jest/types" {
  namespace Global {
    interface GlobalAdditions {
      it: JestTest;
      test: JestTest;
      fit: JestTestOnly;
      xit: JestTestSkipped;
      xtest: JestTestSkipped;
      beforeAll: JestWorkerHook;
      beforeEach: JestHook;
      afterEach: JestHook;
      afterAll: JestWorkerHook;
    }
  }
}

declare module "expect" {
  interface Matchers<R extends void | Promise<void>> extends SandboxMatchers<R> {}
}

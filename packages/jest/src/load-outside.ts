import type { createRequire } from "node:module";
import { runInThisContext } from "node:vm";
import type * as Outside from "./outside.ts";

/**
 * Loads `outside.cjs` beside this file the way Node does. What Jest's registry loads is loaded anew
 * for each test file, and a session must live as long as the worker.
 */
export function loadOutside(folder: string): typeof Outside {
  // Jest answers an import of node:module with one of its own, and so does the `process` of its
  // tests from 30.5 on. This leads out of the realm of tests, to the process that has the real one.
  const real = runInThisContext('process.getBuiltinModule("node:module")') as {
    createRequire: typeof createRequire;
  };
  const path = `${folder}/outside.cjs`;
  return real.createRequire(path)(path) as typeof Outside;
}

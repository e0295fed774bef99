import type { createRequire } from "node:module";
import type * as Outside from "./outside.ts";

/**
 * Loads `outside.cjs` beside this file the way Node does. What Jest's registry loads is loaded anew
 * for each test file, and a session must live as long as the worker.
 */
export function loadOutside(folder: string): typeof Outside {
  // Jest answers an import of this module with one of its own; the process still has the real one.
  const real = process.getBuiltinModule("node:module") as { createRequire: typeof createRequire };
  const path = `${folder}/outside.cjs`;
  return real.createRequire(path)(path) as typeof Outside;
}

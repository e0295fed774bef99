import type { createRequire } from "node:module";
import type * as Outside from "./outside.ts";

/**
 * Loads `outside.cjs` beside this file the way Node does. What Jest's registry loads is loaded anew
 * for each test file, and a session must live as long as the worker.
 */
export function loadOutside(folder: string): typeof Outside {
  const path = `${folder}/outside.cjs`;
  return nodesOwnModule().createRequire(path)(path) as typeof Outside;
}

/**
 * Jest answers an import of `node:module`, and from 30.5 on `process.getBuiltinModule`, with a
 * registry of its own. The tests' `process` is a copy too, but its functions are Node's: what their
 * constructor makes sees the real one.
 */
function nodesOwnModule(): { readonly createRequire: typeof createRequire } {
  const NodesFunction = process.nextTick.constructor as FunctionConstructor;
  const realProcess = Reflect.construct(NodesFunction, ["return process"]) as () => NodeJS.Process;
  return realProcess().getBuiltinModule("node:module");
}

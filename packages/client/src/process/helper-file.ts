import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Path of the program that outlives us: beside the bundle once built (every chunk lies in `dist`
 * itself), beside this file when run from the sources, and where the package is installed when this
 * code has become part of somebody else's bundle.
 *
 * @throws when the package is not installed where the bundle lies
 */
export function helperFile(): string {
  // In CommonJS there is no import.meta, in an ES module no __filename.
  const here = typeof __filename === "string" ? __filename : fileURLToPath(import.meta.url);
  const path = join(dirname(here), `cleanup-helper.${here.endsWith(".ts") ? "ts" : "js"}`);
  return existsSync(path) ? path : createRequire(here).resolve("@tidybox/client/cleanup-helper");
}

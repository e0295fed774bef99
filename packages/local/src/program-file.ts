import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { LocalServiceError } from "./error.ts";

/**
 * Path of a program of this package that runs in a process of its own: beside the bundle once
 * built (every chunk lies in `dist` itself), beside this file when run from the sources, and where
 * the package is installed when this code has become part of somebody else's bundle.
 */
export function programFile(
  name: "spawn-helper" | "probe-main" | "terminal-main" | "relay-main" | "dockerode",
): string {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const path = fileURLToPath(new URL(`./${name}.${extension}`, import.meta.url));
  if (existsSync(path)) return path;
  try {
    return createRequire(import.meta.url).resolve(`@tidybox/local/${name}`);
  } catch (cause) {
    throw new LocalServiceError(
      "local_helper_failed",
      `a program of the local service is missing: ${path}. ` +
        "The @tidybox/local package is incomplete (was it bundled?): install it again.",
      { cause },
    );
  }
}

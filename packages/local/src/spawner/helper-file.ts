import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { LocalServiceError } from "../error.ts";

/**
 * Where the helper's program is: beside the bundle once built (every chunk lies in `dist` itself),
 * one folder up when run from the sources.
 */
export function helperFile(): string {
  const candidates = import.meta.url.endsWith(".ts") ? ["../spawn-helper.ts"] : ["./spawn-helper.js"];
  const paths = candidates.map((name) => fileURLToPath(new URL(name, import.meta.url)));
  const found = paths.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new LocalServiceError(
    "local_helper_failed",
    `the local service's helper program is missing: looked for ${paths.join(", ")}. ` +
      "The @tidybox/local package is incomplete (was it bundled?): install it again and keep it external to bundles.",
  );
}

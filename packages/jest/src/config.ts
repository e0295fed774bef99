// Apart from the rest, which can only be loaded where tests run.
import type { TidyboxOptions } from "@tidybox/fixtures";

/** Types the default export of a `tidybox.config.ts`. Answers what it is given. */
export function defineConfig(options: TidyboxOptions): TidyboxOptions {
  return options;
}

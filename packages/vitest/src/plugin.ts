import type { TidyboxOptions } from "@tidybox/fixtures";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vitest/config";
import { guardForks } from "./orphan-guard.ts";
import { beginRun } from "./runs.ts";
import type {} from "./types.ts";

export type { TidyboxOptions } from "@tidybox/fixtures";

/** Types the default export of a `tidybox.config.ts`. Answers what it is given. */
export function defineConfig(options: TidyboxOptions): TidyboxOptions {
  return options;
}

/**
 * The Vitest plugin: starts the run's coordinator while Vitest itself starts, gives every test
 * `{ sandbox }`, and reaps at the end. With `projects`, put it into each project that uses
 * sandboxes (or let them extend the root's configuration).
 */
export function tidybox(options: TidyboxOptions = {}): Plugin {
  return {
    name: "tidybox",
    configureVitest({ vitest, project }) {
      const { config } = project;
      guardForks(vitest);
      config.setupFiles.push(beside("../setup.mts"));
      config.globalSetup = [...asArray(config.globalSetup), beside("./global-setup.js")];
      const run = beginRun(vitest, project.name, config.root, options);
      vitest.onClose(async () => {
        // Nobody ran a global teardown: `vitest list`, or a start-up that failed elsewhere.
        const started = await run.started.catch(() => undefined);
        if (started === undefined || run.finished !== undefined) return;
        run.finished = await started.finish();
      });
    },
  };
}

/** A path from this file, as it is built, for Vitest to load. */
function beside(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

function asArray(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === "string" ? [value] : value;
}

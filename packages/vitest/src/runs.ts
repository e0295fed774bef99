import { launchCoordinator } from "@tidybox/fixtures/launch";
import type { FinishedRun, StartedRun } from "@tidybox/fixtures/runner";
import type { Vitest } from "vitest/node";

/** A run from the plugin's first hook to its last. */
export interface VitestRun {
  readonly started: Promise<StartedRun>;
  finished: FinishedRun | undefined;
}

interface Runs {
  readonly byVitest: WeakMap<Vitest, VitestRun>;
}

// The plugin and the global setup may be two instances of this module (Vitest loads global setup
// files through its own module runner), so what they share lives where both find it.
const KEY = Symbol.for("tidybox.vitest.runs");

function runs(): Runs {
  const shared = globalThis as { [KEY]?: Runs };
  shared[KEY] ??= { byVitest: new WeakMap() };
  return shared[KEY];
}

/** Begins the run of this Vitest instance, once: with projects the hooks come once for each. */
export function beginRun(vitest: Vitest, root: string, options: unknown): VitestRun {
  const known = runs().byVitest.get(vitest);
  if (known !== undefined) return known;
  // First of all the process, then what it takes to talk to it: both load at the same time.
  const coordinator = launchCoordinator();
  const started = import("@tidybox/fixtures/runner").then(({ startRun }) =>
    startRun({ root, options, optionsSource: "the options of tidybox()", coordinator }),
  );
  // The global setup awaits it and reports; until then a failure must not end the process.
  started.catch(() => {});
  const run: VitestRun = { started, finished: undefined };
  runs().byVitest.set(vitest, run);
  return run;
}

export function findRun(vitest: Vitest): VitestRun | undefined {
  return runs().byVitest.get(vitest);
}

import { launchCoordinator } from "@tidybox/fixtures/launch";
import type { FinishedRun, ProjectOptions, StartedRun } from "@tidybox/fixtures/runner";
import type { Vitest } from "vitest/node";
import { tellExpectedFiles } from "./expected-files.ts";
import { print } from "./print.ts";

/** A run from the plugin's first hook to its last. */
export interface VitestRun {
  /** What the plugin was given in each project. */
  readonly projects: Map<string, ProjectOptions>;
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
export function beginRun(vitest: Vitest, name: string, root: string, options: unknown): VitestRun {
  const optionsSource = `the options of tidybox()${name === "" ? "" : ` in project "${name}"`}`;
  const project: ProjectOptions = { root, options, optionsSource };
  const known = runs().byVitest.get(vitest);
  if (known !== undefined) {
    known.projects.set(name, project);
    return known;
  }
  // First of all the process, then what it takes to talk to it: both load at the same time.
  const coordinator = launchCoordinator();
  const started = import("@tidybox/fixtures/runner").then(({ startRun }) =>
    startRun({
      ...project,
      reportRoot: vitest.config.root,
      coordinator,
      mayStopEarly: vitest.config.watch || (vitest.config.bail ?? 0) > 0,
      onNotice: (text) => print(vitest, `tidybox  ${text}`),
    }),
  );
  // The global setup awaits it and reports; until then a failure must not end the process.
  started.catch(() => {});
  const run: VitestRun = { projects: new Map([[name, project]]), started, finished: undefined };
  runs().byVitest.set(vitest, run);
  tellExpectedFiles(vitest, run);
  return run;
}

export function findRun(vitest: Vitest): VitestRun | undefined {
  return runs().byVitest.get(vitest);
}

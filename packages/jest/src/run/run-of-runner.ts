import { rmSync } from "node:fs";
import { HANDOVER_VARIABLE } from "@tidybox/fixtures/adapter";
import type { StartedRun } from "@tidybox/fixtures/runner";
import { type JestProjectConfig, projectOptions } from "./project.ts";
import {
  type JestGlobalConfig,
  mayBail,
  rootsOf,
  runsEverything,
  selectsByName,
} from "./selection.ts";
import { closeWorkers } from "./workers.ts";

interface RunnersRun {
  readonly started: Promise<StartedRun>;
  /** Takes off what an end without our teardown needs. */
  forgetExit(): void;
  /** Set-ups whose teardown has not come: the preset may stand in more than one place. */
  users: number;
}

// Global setup and teardown are two files of one process, and share what lives where both find it.
const KEY = Symbol.for("tidybox.jest.run");
const shared = globalThis as { [KEY]?: RunnersRun | undefined };

/**
 * Starts the run's coordinator and leaves in the environment where workers find it.
 *
 * @throws ConfigurationError, before any test, when something in the configuration is wrong.
 */
export async function beginRun(
  globalConfig: JestGlobalConfig,
  projectConfig: JestProjectConfig,
): Promise<void> {
  const known = shared[KEY];
  if (known !== undefined) {
    known.users += 1;
    await known.started;
    return;
  }
  const started = start(globalConfig, projectConfig);
  const run: RunnersRun = { started, users: 1, forgetExit: () => {} };
  shared[KEY] = run;
  try {
    const begun = await started;
    if (selectsByName(globalConfig)) begun.testsAreFiltered();
    else if (runsEverything(globalConfig)) begun.expectTests("all-known");
    const { handoverFile, notices } = begun;
    process.env[HANDOVER_VARIABLE] = handoverFile;
    if (handoverFile !== undefined) run.forgetExit = removeAtExit(handoverFile);
    for (const notice of notices) say(`tidybox: ${notice}`);
    await begun.prepare(begun.info);
  } catch (error) {
    shared[KEY] = undefined;
    throw error;
  }
}

/**
 * Jest leaves without a global teardown at `--bail` (29.7), and after a global setup that throws.
 * The coordinator of a root runner has given up the rights to remove the file for us.
 */
function removeAtExit(path: string): () => void {
  const remove = (): void => {
    try {
      rmSync(path, { force: true });
    } catch {
      // The next run tries again.
    }
  };
  process.once("exit", remove);
  return () => {
    process.off("exit", remove);
  };
}

async function start(
  globalConfig: JestGlobalConfig,
  projectConfig: JestProjectConfig,
): Promise<StartedRun> {
  // First of all the process, then what it takes to talk to it: both load at the same time.
  const { launchCoordinator } = await import("@tidybox/fixtures/launch");
  const coordinator = launchCoordinator();
  const { startRun } = await import("@tidybox/fixtures/runner");
  return startRun({
    ...projectOptions(projectConfig),
    reportRoot: globalConfig.rootDir,
    otherRoots: rootsOf(globalConfig),
    mayStopEarly: mayBail(globalConfig),
    coordinator,
    handover: true,
    inBand: true,
    onNotice: (text) => say(`tidybox  ${text}`),
  });
}

/**
 * Reaps, and prints the account.
 *
 * @throws when something could not be stopped, or nobody can tell, and `failOnLeak` is on
 */
export async function endRun(): Promise<void> {
  const run = shared[KEY];
  if (run === undefined) return;
  run.users -= 1;
  if (run.users > 0) return;
  shared[KEY] = undefined;
  const started = await run.started;
  // In band, this process was the worker too.
  await closeWorkers();
  const { lines, failure } = await started.finish();
  run.forgetExit();
  delete process.env[HANDOVER_VARIABLE];
  for (const line of lines) say(line);
  if (failure !== undefined) throw new Error(failure);
}

/** As Jest's own reporters do: what goes to stdout is for programs (`--json`). */
function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

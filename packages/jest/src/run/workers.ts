import type { RunInfo, Worker } from "@tidybox/fixtures";
import { HANDOVER_VARIABLE } from "@tidybox/fixtures/adapter";
import type { ProjectOptions } from "@tidybox/fixtures/runner";
import type * as WorkerSide from "@tidybox/fixtures/worker";

/** Jest ends a worker by force 500 ms after its last file. */
const GOODBYE_MS = 400;

interface RunOfProject {
  readonly info: Promise<RunInfo>;
  worker?: Promise<Worker>;
}

interface Workers {
  /** By the handover file and the project: in watch mode one process sees many runs. */
  readonly runs: Map<string, RunOfProject>;
  isClosedAtExit: boolean;
}

// The environment and the exported `test` may be two copies of this module, and a worker of Jest's
// lives longer than any module of a test file: there is one lease and one connection for it all.
const KEY = Symbol.for("tidybox.jest.workers");

function workers(): Workers {
  const shared = process as { [KEY]?: Workers };
  shared[KEY] ??= { runs: new Map(), isClosedAtExit: false };
  return shared[KEY];
}

export interface ProjectOfFile extends ProjectOptions {
  /** The file adds to its project's options, in its docblock. Default false. */
  readonly addsToProject?: boolean;
}

/**
 * The run, as the options of this project have it.
 *
 * @throws TidyboxError with code `"no_run"` where no global setup of ours ran
 */
export function runOf(project: ProjectOfFile | undefined): Promise<RunInfo> {
  return entryOf(project).info;
}

/** This process's lease and session in the run, opened when a test first needs them. */
export async function workerOf(project: ProjectOfFile | undefined): Promise<Worker> {
  const entry = entryOf(project);
  if (entry.worker === undefined) {
    closeAtExit();
    const opening = Promise.all([loadWorker(), entry.info]).then(([{ Worker }, info]) =>
      Worker.open(info),
    );
    entry.worker = opening;
    // The next test tries again.
    opening.catch(() => delete entry.worker);
  }
  return entry.worker;
}

/** One file with all that it takes, loaded by the first test that wants a sandbox. */
export function loadWorker(): Promise<typeof WorkerSide> {
  return import("@tidybox/fixtures/worker");
}

function entryOf(project: ProjectOfFile | undefined): RunOfProject {
  const path = process.env[HANDOVER_VARIABLE];
  const { runs } = workers();
  const key = JSON.stringify([path, project]);
  const known = runs.get(key);
  if (known !== undefined) return known;
  const made: RunOfProject = { info: readRun(path, project) };
  runs.set(key, made);
  made.info.catch(() => runs.delete(key));
  return made;
}

async function readRun(
  path: string | undefined,
  project: ProjectOfFile | undefined,
): Promise<RunInfo> {
  if (path === undefined || path === "") throw await noRun();
  const { projectInfo, readHandover } = await loadWorker();
  const { info, project: first, runnerPid } = await readHandover(path);
  if (!isOurRunner(runnerPid)) throw await noRun();
  if (project === undefined) return info;
  const options =
    project.addsToProject === true
      ? { ...asObject(first.options), ...asObject(project.options) }
      : project.options;
  const isFirst =
    project.root === first.root && JSON.stringify(options) === JSON.stringify(first.options);
  return isFirst ? info : projectInfo(info, { ...project, options });
}

/** Else a test of another Jest has started this one, whose own global setup did not run. */
function isOurRunner(pid: number): boolean {
  return pid === process.pid || (pid === process.ppid && process.send !== undefined);
}

async function noRun(): Promise<Error> {
  const { TidyboxError } = await import("@tidybox/client/errors");
  return new TidyboxError({
    code: "no_run",
    message: "No run: the global setup of @tidybox/jest did not run.",
    advice:
      'Use preset: "@tidybox/jest". If you have a globalSetup of your own, which takes the place of the preset\'s, wrap it: ' +
      'module.exports = require("@tidybox/jest/global-setup").withSandboxes(yours), and your globalTeardown likewise.',
  });
}

function asObject(value: unknown): object {
  return typeof value === "object" && value !== null ? value : {};
}

/**
 * `beforeExit` is the one hook at the end of a Jest worker's life that may wait; in the runner's own
 * process it comes after the global teardown, which has done it by then.
 */
function closeAtExit(): void {
  const all = workers();
  if (all.isClosedAtExit) return;
  all.isClosedAtExit = true;
  process.once("beforeExit", () => {
    void closeWorkers(GOODBYE_MS);
  });
}

/**
 * Resolves when all that tests of this process have handed back has arrived: Jest may end a worker
 * without a word once a file is done. Bounded; never throws.
 */
export async function handedBack(): Promise<void> {
  const { runs } = workers();
  const open = [...runs.values()].map(({ worker }) => worker);
  await Promise.allSettled(open.map(async (worker) => (await worker)?.handedBack()));
}

/**
 * Closes every session of this process. Never throws; what is left, the coordinator stops.
 *
 * @param timeoutMs after that it answers anyway; default: when all are closed, which is bounded too
 */
export async function closeWorkers(timeoutMs?: number): Promise<void> {
  const { runs } = workers();
  const open = [...runs.values()].map(({ worker }) => worker);
  runs.clear();
  const closing = Promise.allSettled(open.map(async (worker) => (await worker)?.close()));
  if (timeoutMs === undefined) {
    await closing;
    return;
  }
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    // Not unref'd: nothing else of ours keeps the process until the coordinator has our goodbye.
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([closing, late]);
  clearTimeout(timer);
}

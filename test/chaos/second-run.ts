import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Bed, makeProject } from "../support/bed.ts";
import { endWithin, launch } from "../support/launch.ts";
import { killProcessesWith, until } from "../support/observer.ts";
import type { Cell } from "./cells.ts";
import { notesOf } from "./scene.ts";
import { ENOUGH_FILE, type RunPlan } from "./suite/plan.ts";

/** A colleague's run on the same service and machine, at the same time: its tests must all pass. */
export interface SecondRun extends AsyncDisposable {
  /** Lets it come to its end, and says what went wrong. */
  touched(): Promise<readonly string[]>;
}

const START_SECONDS = 60;
const END_SECONDS = 60;
const FILES = 2;

/** Resolves when each of its tests holds a sandbox. */
export async function startSecondRun(
  bed: Bed,
  { framework, setup }: Cell,
  env: Readonly<Record<string, string>>,
): Promise<SecondRun> {
  const plan = planOfSecond();
  const mark = `chaos-mark-${plan.runId}`;
  const project = await makeProject(bed, framework.files(setup, plan));
  const run = launch(project, {
    command: framework.command(bed, setup),
    surroundings: "pipe",
    env: { ...env, TIDYBOX_TEST_MARK: mark },
  });
  const dispose = async () => {
    killProcessesWith(mark);
    await endWithin(run, 5);
    await project[Symbol.asyncDispose]();
  };
  const holding = () => notesOf(project).filter(({ kind }) => kind === "holds").length;
  try {
    // In band they come one after the other.
    const wanted = setup.inBand ? 1 : FILES;
    await until("the second run", START_SECONDS, holding, (count) => count >= wanted);
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    touched: async () => {
      writeFileSync(join(project.directory, ENOUGH_FILE), "");
      const end = await endWithin(run, END_SECONDS);
      const notes = notesOf(project);
      const done = notes.filter(({ kind }) => kind === "done").length;
      return [
        ...(end?.exitCode === 0
          ? []
          : [`the second run: exit ${end?.signal ?? end?.exitCode ?? "none"}\n${run.output()}`]),
        ...(done === FILES ? [] : [`the second run: ${done} of ${FILES} tests ended`]),
        ...notes.flatMap(({ kind, test, error }) =>
          kind === "trouble" ? [`the second run: ${test}: ${error}`] : [],
        ),
      ];
    },
    [Symbol.asyncDispose]: dispose,
  };
}

function planOfSecond(): RunPlan {
  return {
    runId: `chaos-second-${randomBytes(8).toString("hex")}`,
    files: FILES,
    testsPerFile: 1,
    workers: FILES,
    maxSandboxes: FILES,
    pairs: false,
    // Until there is enough of it.
    rounds: 250,
    timeoutSeconds: 120,
    victim: undefined,
    bail: false,
    forceExit: false,
    tinyMemoryLimit: false,
    faults: undefined,
    sleepSeconds: 400_000 + randomBytes(2).readUInt16BE(),
  };
}

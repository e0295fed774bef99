import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { Connection } from "@tidybox/client";
import { type Bed, type Project, makeProject } from "../support/bed.ts";
import { killProcessesWith, tidybox } from "../support/observer.ts";
import { type Served, startServe } from "../support/serve.ts";
import { standBy } from "./bystander.ts";
import type { Cell } from "./cells.ts";
import { Chance } from "./chance.ts";
import { faultFlags } from "./fault-flags.ts";
import { openGate } from "./gate.ts";
import { endWithin, launch } from "../support/launch.ts";
import {
  type Observed,
  activeSandboxes,
  countRemains,
  hasSandboxes,
  lookAround,
} from "./remains.ts";
import { type Stage, sceneOf } from "./scene.ts";
import { startSecondRun } from "./second-run.ts";
import { type Scene, type Struck, seconds } from "./strikes/strike.ts";
import { leftByEarlierRun } from "./suite/earlier-run.ts";
import { type RunPlan, testName } from "./suite/plan.ts";
import { type Facts, PATIENCE_SECONDS, type Verdict, judge } from "./verdict.ts";

const END_SECONDS = 60;

/**
 * A run of its own service, struck once, watched to its end and beyond. Leaves nothing behind.
 *
 * @param mayBeKnown half of the cells then strike a run that an earlier one has told of: it makes
 *   sandboxes before its framework is up, and may be struck before it is. Default false
 */
export async function runCell(
  bed: Bed,
  cell: Cell,
  seed: number,
  mayBeKnown = false,
): Promise<Verdict> {
  const chance = new Chance(seed, cell.name);
  const plan = planOf(cell, chance);
  await using service = await startServe(bed);
  const connection = connectionOf(service);
  try {
    await using bystander = await standBy(connection);
    await using gate = await openGate(service.env["CWSANDBOX_BASE_URL"] ?? "");
    const served = cell.backend === "served";
    if (served && cell.strike.faults !== undefined)
      await tidybox(
        bed,
        ["rehearse", ...faultFlags(cell.strike.faults, bystander.count)],
        service.env,
      );
    const files = cell.framework.files(cell.setup, plan);
    const known = mayBeKnown && chance.between(0, 2) >= 1 ? leftByEarlierRun(files, plan) : {};
    await using project = await makeProject(bed, { ...files, ...known });
    await using second =
      served && cell.strike.besideAnother === true
        ? await startSecondRun(bed, cell, { ...service.env, ...recordsIn(project) })
        : undefined;
    const observed: Observed = {
      project,
      runId: plan.runId,
      mark: `chaos-mark-${plan.runId}`,
      sleepSeconds: plan.sleepSeconds,
      connection: served ? connection : undefined,
    };
    const seen = await strikeAndWatch(cell, plan, {
      observed,
      chance,
      service,
      gate: served ? gate : undefined,
    });
    // The bystander is looked at without what goes wrong on purpose.
    if (served && cell.strike.faults !== undefined)
      await tidybox(bed, ["rehearse", "--clear"], service.env);
    return judge({
      ...seen,
      cell,
      seed,
      plan,
      touchedBystanders: [...(await bystander.touched()), ...((await second?.touched()) ?? [])],
    });
  } finally {
    connection.close();
  }
}

/** Where the struck run has its records: what looks for lost runs finds both. */
function recordsIn({ temp }: Project): Readonly<Record<string, string>> {
  return { XDG_STATE_HOME: join(temp, "state") };
}

function connectionOf({ env }: Served): Connection {
  return new Connection({
    baseUrl: env["CWSANDBOX_BASE_URL"] ?? "",
    apiKey: env["CWSANDBOX_API_KEY"] ?? "",
  });
}

function planOf({ strike, backend }: Cell, chance: Chance): RunPlan {
  const { misdeed, faults, plan = {} } = strike;
  const usual = {
    ...{ files: 6, testsPerFile: 3, workers: 3, maxSandboxes: 8 },
    ...{ pairs: true, rounds: 3, timeoutSeconds: 45 },
  };
  const { files, testsPerFile } = { ...usual, ...plan };
  const test = testName(
    Math.floor(chance.between(0, files)),
    Math.floor(chance.between(0, testsPerFile)),
  );
  return {
    ...usual,
    runId: `chaos-${randomBytes(8).toString("hex")}`,
    victim: misdeed === undefined ? undefined : { test, misdeed },
    bail: false,
    forceExit: false,
    tinyMemoryLimit: false,
    faults: backend === "embedded" ? faults : undefined,
    sleepSeconds: 500_000 + randomBytes(3).readUIntBE(0, 3),
    ...plan,
  };
}

type Seen = Pick<
  Facts,
  | "notes"
  | "hitPids"
  | "end"
  | "output"
  | "seconds"
  | "quietSeconds"
  | "remains"
  | "workerSeconds"
  | "workersLeft"
>;

async function strikeAndWatch(cell: Cell, plan: RunPlan, stage: Stage): Promise<Seen> {
  const { observed } = stage;
  const { strike } = cell;
  const run = launch(observed.project, {
    command: cell.framework.command(observed.project.bed, cell.setup),
    surroundings: strike.surroundings ?? "pipe",
    env: { ...strike.env, ...serviceEnvironment(stage), TIDYBOX_TEST_MARK: observed.mark },
  });
  try {
    const scene = sceneOf(cell, stage, run);
    const struck = (await strike.perform?.(scene)) ?? { atMs: performance.now() };
    const ofHit = strike.hits === "worker" ? await watchHitWorkers(scene, struck, observed) : {};
    const end = await endWithin(run, strike.endSeconds ?? END_SECONDS);
    const endedAtMs = performance.now();
    if (end === undefined) killProcessesWith(observed.mark);
    await strike.afterwards?.(scene);
    const settled = await settle(observed, endedAtMs);
    return {
      notes: scene.notes(),
      hitPids: struck.workerPids ?? [],
      end,
      output: run.output(),
      ...settled,
      workerSeconds: undefined,
      workersLeft: [],
      ...ofHit,
    };
  } finally {
    // Orphans of Vitest 3.2, and whatever else is still there.
    killProcessesWith(observed.mark);
    killProcessesWith(`sleep\0${plan.sleepSeconds}`);
    await endWithin(run, 5);
  }
}

function serviceEnvironment({ service, gate }: Stage): Readonly<Record<string, string>> {
  return gate === undefined ? {} : { ...service.env, CWSANDBOX_BASE_URL: gate.baseUrl };
}

/** While the run goes on: its other workers have sandboxes still, and keep them. */
async function watchHitWorkers(
  scene: Scene,
  { atMs, workerPids = [] }: Struck,
  observed: Observed,
): Promise<Partial<Seen>> {
  if (workerPids.length === 0) return {};
  const ids = new Set(
    scene
      .notes()
      .flatMap(({ pid, sandboxIds = [] }) => (workerPids.includes(pid) ? sandboxIds : [])),
  );
  for (;;) {
    const left = (await activeSandboxes(observed)).filter((id) => ids.has(id));
    const workerSeconds = (performance.now() - atMs) / 1000;
    if (left.length === 0) return { workerSeconds };
    if (workerSeconds > PATIENCE_SECONDS) return { workersLeft: left };
    await seconds(0.1);
  }
}

/** Sandboxes count until the last time one is seen, however late it was made. */
async function settle(
  observed: Observed,
  endedAtMs: number,
): Promise<Pick<Seen, "remains" | "seconds" | "quietSeconds">> {
  let emptyAt: number | undefined;
  for (;;) {
    const remains = await lookAround(observed);
    const now = (performance.now() - endedAtMs) / 1000;
    emptyAt = hasSandboxes(remains) ? undefined : (emptyAt ?? now);
    if (countRemains(remains) === 0) return { remains, seconds: emptyAt, quietSeconds: now };
    if (now > PATIENCE_SECONDS) return { remains, seconds: emptyAt, quietSeconds: undefined };
    await seconds(0.1);
  }
}

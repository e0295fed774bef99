import { Connection } from "@tidybox/client";
import {
  type LostRun,
  type LostRunOutcome,
  finishLostRuns,
  readRecords,
} from "@tidybox/fixtures/records";
import { removeLocalLeftovers } from "@tidybox/local";
import { EXIT_FAILED } from "../exit-status.ts";
import { note, printJson, printLine } from "../output.ts";

export interface ReapLostOptions {
  readonly dryRun: boolean;
  /** For each run. */
  readonly timeoutSeconds: number;
  readonly olderThanSeconds?: number;
  readonly json: boolean;
}

/** Nothing can be left of these, or they are somebody else's to finish. */
const DONE: ReadonlySet<LostRunOutcome> = new Set([
  "finished",
  "ended",
  "running",
  "busy",
  "unknown",
]);

/**
 * Finishes the recorded runs whose processes are gone. Those of the local backend have no record:
 * their sandboxes died with their service, whose own folder says what else it left.
 */
export async function reapLost({ json, ...options }: ReapLostOptions): Promise<void> {
  const notices: string[] = [];
  if (!options.dryRun) await removeLocalLeftovers(({ message }) => void notices.push(message));
  const how = { dryRun: options.dryRun, json };
  // Who has only ever run locally has no service to ask, and no key for one.
  if ((await readRecords()).length === 0) return report([], notices, how);
  const connection = new Connection();
  try {
    report(await finishLostRuns({ ...options, connection }), notices, how);
  } finally {
    connection.close();
  }
}

function report(
  runs: readonly LostRun[],
  notices: readonly string[],
  { dryRun, json }: Pick<ReapLostOptions, "dryRun" | "json">,
): void {
  const stopped = runs.reduce((sum, { reaped, moreReaped }) => sum + reaped.length + moreReaped, 0);
  const left = runs.flatMap((run) => run.left);
  if (json) {
    printJson({
      dryRun,
      reaped: runs.flatMap((run) => run.reaped),
      moreReaped: runs.reduce((sum, run) => sum + run.moreReaped, 0),
      left,
      unverified: runs.flatMap((run) => run.unverified ?? []),
      runs: runs.map(({ record, outcome }) => ({
        runId: record.runId,
        outcome,
        startedAt: record.startedAt,
        project: record.project,
        host: record.host,
        baseUrl: record.baseUrl,
      })),
    });
  } else {
    for (const run of runs) describe(run, dryRun);
    const verb = dryRun ? "would be stopped" : "stopped";
    note(`${runs.length} recorded, ${stopped} ${verb}, ${left.length} left`);
  }
  for (const notice of notices) note(notice);
  if (!dryRun && runs.some(({ outcome }) => !DONE.has(outcome))) process.exitCode = EXIT_FAILED;
}

function describe(
  { record, outcome, reaped, moreReaped, left, unverified }: LostRun,
  dryRun: boolean,
) {
  const { runId, startedAt, project, baseUrl, host } = record;
  const words: Readonly<Record<LostRunOutcome, string>> = {
    finished: "nothing is left of it",
    ended: `its service ${baseUrl} has ended, and its sandboxes with it`,
    left: "not finished",
    elsewhere: `its sandboxes are at ${baseUrl}: run this again with CWSANDBOX_BASE_URL=${baseUrl} and its key`,
    running: "it is running",
    unknown: `its processes on ${host} cannot be seen from here: run this there, or tidybox reap --run ${runId}`,
    busy: "another process is finishing it",
    lost: "it would be finished",
  };
  printLine(`run ${runId} of ${startedAt} in ${project}: ${words[outcome]}`);
  for (const id of reaped) printLine(`  ${dryRun ? "would stop" : "stopped"} ${id}`);
  if (moreReaped > 0) printLine(`  stopped ${moreReaped} more`);
  for (const { sandboxId, reason } of left) printLine(`  left ${sandboxId}: ${reason}`);
  if (unverified !== undefined) printLine(`  not verified: ${unverified}`);
}

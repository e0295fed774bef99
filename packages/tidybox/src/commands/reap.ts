import { type ReapResult, type RemovedSnapshots, reap as reapTags } from "@tidybox/fixtures";
import { Command } from "commander";
import { parseDuration, reachableBackends } from "../backends.ts";
import { EXIT_FAILED } from "../exit-status.ts";
import { note, printJson, printLine } from "../output.ts";
import { reapLost } from "./reap-lost.ts";
import { type ReapScope, scopeTags } from "./reap-scope.ts";
import { reapPrepared, reapSnapshotsOfRun } from "./reap-snapshots.ts";

export interface ReapCommandOptions extends ReapScope {
  readonly olderThan?: string;
  readonly timeout: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const SETTLE_SECONDS = 1;

const HELP_AFTER = `
Exit status: 0 nothing is left, 1 something could not be stopped or nobody could see that nothing is
left, 2 wrong usage.

Where: the service of CWSANDBOX_BASE_URL and CWSANDBOX_API_KEY when one of them is set, else every
local service of this user.

Examples:
  tidybox reap --ci                    last step of a pipeline, run whatever came before
  tidybox reap --lost                  first step on a machine that is used again and again
  tidybox reap --run 7f3k2m9x0q4v8d1s6p5t
  tidybox reap --tag tidybox --older-than 2h --dry-run
  tidybox reap --prepared --older-than 30d
`;

export function reapCommand(): Command {
  return new Command("reap")
    .description(
      "stops what is left; exit status 0 when nothing is left, 1 when something could not be stopped",
    )
    .option("--run <id>", "the sandboxes of this run")
    .option("--tag <tag...>", "the sandboxes with this tag; several tags: all of them")
    .option("--ci", "the sandboxes of this CI pipeline, of all its jobs")
    .option("--lost", "those of runs on this machine whose processes are gone")
    .option("--prepared", "no sandboxes: the kept results of preparations (option prepareKey)")
    .option("--older-than <time>", "only those created at least that long ago, such as 2h")
    .option("--timeout <time>", "how long to try, with --lost for each run", "2m")
    .option("--dry-run", "only says what would be stopped")
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", HELP_AFTER)
    .action(reap);
}

async function reap(options: ReapCommandOptions, command: Command): Promise<void> {
  const tags = scopeTags(options, (problem) => command.error(`error: ${problem}`));
  const olderThanSeconds =
    options.olderThan === undefined ? undefined : parseDuration("--older-than", options.olderThan);
  const dryRun = options.dryRun === true;
  const timeoutSeconds = parseDuration("--timeout", options.timeout);
  const common = {
    dryRun,
    timeoutSeconds,
    ...(olderThanSeconds === undefined ? {} : { olderThanSeconds }),
  };
  if (options.lost === true) return reapLost({ ...common, json: options.json === true });
  const backends = await reachableBackends();
  try {
    if (options.prepared === true) {
      report([], await reapPrepared(backends, common), [], options);
      return;
    }
    const results = await Promise.all(
      backends.map(({ connection, local }) =>
        reapTags({
          ...common,
          connection,
          tags,
          settleSeconds: SETTLE_SECONDS,
          serviceMayEnd: local,
        }),
      ),
    );
    // Afterwards: one that is being taken can only be deleted once its sandbox has ended.
    const snapshots =
      options.run === undefined
        ? undefined
        : await reapSnapshotsOfRun(backends, options.run, common);
    report(results, snapshots, tags, options);
  } finally {
    for (const { connection } of backends) connection.close();
  }
}

function report(
  results: readonly ReapResult[],
  snapshots: RemovedSnapshots | undefined,
  tags: readonly string[],
  options: ReapCommandOptions,
): void {
  const reaped = results.flatMap((result) => result.reaped);
  const moreReaped = results.reduce((sum, result) => sum + result.moreReaped, 0);
  const left = results.flatMap((result) => result.left);
  const unverified = [...results, ...(snapshots === undefined ? [] : [snapshots])].flatMap(
    (result) => result.unverified ?? [],
  );
  const { removed = [], left: leftSnapshots = [] } = snapshots ?? {};
  const dryRun = options.dryRun === true;
  if (options.json === true) {
    const ofSnapshots =
      snapshots === undefined ? {} : { snapshots: { removed, left: leftSnapshots } };
    printJson({ dryRun, reaped, moreReaped, left, unverified, ...ofSnapshots });
  } else {
    for (const id of reaped) printLine(`${dryRun ? "would stop" : "stopped"} ${id}`);
    if (moreReaped > 0) printLine(`stopped ${moreReaped} more`);
    for (const id of removed) printLine(`${dryRun ? "would delete" : "deleted"} snapshot ${id}`);
    for (const { sandboxId, reason } of left) printLine(`left ${sandboxId}: ${reason}`);
    for (const { snapshotId, reason } of leftSnapshots)
      printLine(`left snapshot ${snapshotId}: ${reason}`);
    for (const why of unverified) printLine(`not verified: ${why}`);
    const verb = options.prepared === true ? "deleted" : "stopped";
    const gone = reaped.length + moreReaped + removed.length;
    const stay = left.length + leftSnapshots.length;
    note(`${gone} ${dryRun ? `would be ${verb}` : verb}, ${stay} left`);
    if (left.length + unverified.length > 0 && tags.length > 0)
      note(`try again with: npx tidybox reap ${tags.map((tag) => `--tag ${tag}`).join(" ")}`);
  }
  if (left.length + leftSnapshots.length + unverified.length > 0) process.exitCode = EXIT_FAILED;
}

import { type ReapResult, reap as reapTags } from "@tidybox/fixtures";
import { Command } from "commander";
import { parseDuration, reachableBackends } from "../backends.ts";
import { EXIT_FAILED } from "../exit-status.ts";
import { note, printJson, printLine } from "../output.ts";
import { reapLost } from "./reap-lost.ts";
import { type ReapScope, scopeTags } from "./reap-scope.ts";

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
    report(results, tags, options);
  } finally {
    for (const { connection } of backends) connection.close();
  }
}

function report(
  results: readonly ReapResult[],
  tags: readonly string[],
  options: ReapCommandOptions,
): void {
  const reaped = results.flatMap((result) => result.reaped);
  const moreReaped = results.reduce((sum, result) => sum + result.moreReaped, 0);
  const left = results.flatMap((result) => result.left);
  const unverified = results.flatMap((result) => result.unverified ?? []);
  const dryRun = options.dryRun === true;
  if (options.json === true) {
    printJson({ dryRun, reaped, moreReaped, left, unverified });
  } else {
    for (const id of reaped) printLine(`${dryRun ? "would stop" : "stopped"} ${id}`);
    if (moreReaped > 0) printLine(`stopped ${moreReaped} more`);
    for (const { sandboxId, reason } of left) printLine(`left ${sandboxId}: ${reason}`);
    for (const why of unverified) printLine(`not verified: ${why}`);
    const verb = dryRun ? "would be stopped" : "stopped";
    note(`${reaped.length + moreReaped} ${verb}, ${left.length} left`);
    if (left.length + unverified.length > 0)
      note(`try again with: npx tidybox reap ${tags.map((tag) => `--tag ${tag}`).join(" ")}`);
  }
  if (left.length + unverified.length > 0) process.exitCode = EXIT_FAILED;
}

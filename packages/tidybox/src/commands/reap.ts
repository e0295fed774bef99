import { type ReapResult, reap as reapTags, runTag } from "@tidybox/fixtures";
import { Command } from "commander";
import { parseDuration, reachableBackends, wantedTags } from "../backends.ts";
import { EXIT_FAILED } from "../exit-status.ts";
import { note, printJson, printLine } from "../output.ts";

interface ReapCommandOptions {
  readonly tag?: readonly string[];
  readonly run?: string;
  readonly olderThan?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const TIMEOUT_SECONDS = 120;
const SETTLE_SECONDS = 1;

export function reapCommand(): Command {
  return new Command("reap")
    .description(
      "stops what is left; exit status 0 when nothing is left, 1 when something could not be stopped",
    )
    .option("--run <id>", "the sandboxes of this run")
    .option("--tag <tag...>", "the sandboxes with this tag; several tags: all of them")
    .option("--older-than <time>", "only those created at least that long ago, such as 2h")
    .option("--dry-run", "only says what would be stopped")
    .option("--json", "one JSON document on stdout")
    .action(reap);
}

async function reap(options: ReapCommandOptions, command: Command): Promise<void> {
  const tags = wantedTags(options, runTag);
  if (tags.length === 0) {
    command.error(
      "error: say what to reap: --run <id> or --tag <tag>. Without one it would stop everything.",
    );
  }
  const olderThanSeconds =
    options.olderThan === undefined ? undefined : parseDuration(options.olderThan);
  const backends = await reachableBackends();
  const results = await Promise.all(
    backends.map(({ connection, local }) =>
      reapTags({
        connection,
        tags,
        settleSeconds: SETTLE_SECONDS,
        timeoutSeconds: TIMEOUT_SECONDS,
        serviceMayEnd: local,
        dryRun: options.dryRun === true,
        ...(olderThanSeconds === undefined ? {} : { olderThanSeconds }),
      }),
    ),
  );
  for (const { connection } of backends) connection.close();
  report(results, options);
}

function report(results: readonly ReapResult[], options: ReapCommandOptions): void {
  const reaped = results.flatMap((result) => result.reaped);
  const left = results.flatMap((result) => result.left);
  const unverified = results.flatMap((result) => result.unverified ?? []);
  const dryRun = options.dryRun === true;
  if (options.json === true) {
    printJson({ dryRun, reaped, left, unverified });
  } else {
    for (const id of reaped) printLine(`${dryRun ? "would stop" : "stopped"} ${id}`);
    for (const { sandboxId, reason } of left) printLine(`left ${sandboxId}: ${reason}`);
    for (const why of unverified) printLine(`not verified: ${why}`);
    note(`${reaped.length} ${dryRun ? "would be stopped" : "stopped"}, ${left.length} left`);
  }
  if (left.length + unverified.length > 0) process.exitCode = EXIT_FAILED;
}

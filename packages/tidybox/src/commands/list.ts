import { Sandbox, UnavailableError } from "@tidybox/client";
import { isLocalRunner } from "@tidybox/client/internal";
import { makersOf, runTag } from "@tidybox/fixtures";
import { printable } from "@tidybox/fixtures/printable";
import { Command } from "commander";
import { type ReachableBackend, reachableBackends, wantedTags } from "../backends.ts";
import { note, printJson, printLine, table } from "../output.ts";

interface ListOptions {
  readonly tag?: readonly string[];
  readonly run?: string;
  readonly all?: boolean;
  readonly json?: boolean;
}

const HELP_AFTER = `
Where: the service of CWSANDBOX_BASE_URL and CWSANDBOX_API_KEY when one of them is set, else every
local service of this user.

Examples:
  tidybox list
  tidybox list --run 7f3k2m9x0q4v8d1s6p5t
  tidybox list --tag tidybox --all --json
`;

export function listCommand(): Command {
  return new Command("list")
    .description("what is there, with its age, state, test, run, worker and host")
    .option("--tag <tag...>", "only sandboxes with this tag; several tags: all of them")
    .option("--run <id>", "only sandboxes of this run")
    .option("--all", "ended ones too, as long as the service remembers them")
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", HELP_AFTER)
    .action(list);
}

async function list(options: ListOptions): Promise<void> {
  const tags = wantedTags(options, runTag);
  const backends = await reachableBackends();
  const found = (
    await Promise.all(backends.map((backend) => rowsOf(backend, tags, options.all === true)))
  ).flat();
  for (const { connection } of backends) connection.close();
  if (options.json === true) {
    printJson(found);
  } else if (found.length === 0) {
    note(backends.length === 0 ? "nothing: no local service of this user is running" : "nothing");
  } else {
    const rows = found.map(({ id, state, ageSeconds, test, run, worker, host, backend }) => [
      ...[id, state, age(ageSeconds), printable(test ?? "")],
      ...[run, worker, host].map((each) => printable(each ?? "")),
      backend,
    ]);
    for (const line of table([HEADER, ...rows])) printLine(line);
  }
}

const HEADER = ["SANDBOX", "STATE", "AGE", "TEST", "RUN", "WORKER", "HOST", "WHERE"];

async function rowsOf(backend: ReachableBackend, tags: readonly string[], showTerminated: boolean) {
  const { name, connection, local } = backend;
  try {
    const all = await Sandbox.list({ tags, showTerminated, connection }).toArray();
    return all.map((sandbox) => {
      // By its runner: `tidybox serve` may stand in the platform's place.
      const isLocal = isLocalRunner(sandbox.record?.status?.runnerId ?? "");
      return row(sandbox, isLocal && !local ? "local" : name);
    });
  } catch (error) {
    // A run that has just ended took its service along: there is nothing to show of it.
    if (local && error instanceof UnavailableError) return [];
    throw error;
  }
}

function row(sandbox: Sandbox, backend: string) {
  return {
    id: sandbox.id,
    state: sandbox.state,
    createdAt: sandbox.createdAt?.toISOString(),
    ageSeconds:
      sandbox.createdAt === undefined
        ? undefined
        : Math.round((Date.now() - sandbox.createdAt.getTime()) / 1000),
    test: sandbox.annotations["tidybox.test"],
    file: sandbox.annotations["tidybox.file"],
    ...makersOf(sandbox.tags),
    host: sandbox.annotations["tidybox.host"],
    tags: sandbox.tags,
    backend,
  };
}

function age(seconds: number | undefined): string {
  if (seconds === undefined) return "?";
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

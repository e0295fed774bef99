import { Sandbox, UnavailableError } from "@tidybox/client";
import { isLocalRunner } from "@tidybox/client/internal";
import { runTag } from "@tidybox/fixtures";
import { Command } from "commander";
import { type ReachableBackend, reachableBackends, wantedTags } from "../backends.ts";
import { note, printJson, printLine, table } from "../output.ts";

interface ListOptions {
  readonly tag?: readonly string[];
  readonly run?: string;
  readonly all?: boolean;
  readonly json?: boolean;
}

export function listCommand(): Command {
  return new Command("list")
    .description("what is there, with age, state and test")
    .option("--tag <tag...>", "only sandboxes with this tag; several tags: all of them")
    .option("--run <id>", "only sandboxes of this run")
    .option("--all", "ended ones too, as long as the service remembers them")
    .option("--json", "one JSON document on stdout")
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
    const rows = found.map(({ id, state, ageSeconds, test, backend }) => [
      id,
      state,
      age(ageSeconds),
      test ?? "",
      backend,
    ]);
    for (const line of table([["SANDBOX", "STATE", "AGE", "TEST", "WHERE"], ...rows]))
      printLine(line);
  }
}

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

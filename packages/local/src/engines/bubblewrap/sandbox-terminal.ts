import type { SpawnedTerminal } from "../../spawner/spawner.ts";
import type { EngineTerminal, TerminalExecCommand } from "../engine.ts";
import { DEFAULT_TERM } from "../engine.ts";
import type { BubblewrapSandboxOptions } from "./bubblewrap-sandbox.ts";
import { entryOf, environmentOf } from "./entry.ts";
import { LaunchFailure } from "./launch-failure.ts";

/**
 * Runs a command in a terminal. The command itself must own it, and not nsenter: a Ctrl+C would end
 * nsenter, and take the terminal away from a program that goes on after one.
 */
export async function openSandboxTerminal(
  options: BubblewrapSandboxOptions,
  { argv, environment, columns, rows }: TerminalExecCommand,
): Promise<EngineTerminal & Pick<SpawnedTerminal, "exited">> {
  const { plan, root, held, spawner, nsenter } = options;
  const owner = [...root.hostProgram("setsid"), "--ctty"];
  const variables = { ...(plan.environment["TERM"] === undefined && DEFAULT_TERM), ...environment };
  const entry = entryOf(options, held.innerPid, environmentOf(plan, root, variables), {
    last: owner,
  });
  const terminal = await spawner.terminal({
    file: nsenter,
    args: [...entry.args, ...argv],
    environment: entry.environment,
    cwd: "/",
    columns,
    rows,
    owns: false,
  });
  terminal.output.filterWith(new LaunchFailure(argv[0] ?? "", "setsid"));
  return terminal;
}

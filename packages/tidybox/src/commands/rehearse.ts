import { transportOf, toTidyboxError } from "@tidybox/client/internal";
import { type FaultOptions, type Rehearsal, rehearsalClient } from "@tidybox/local";
import { Command } from "commander";
import { rehearsedConnection } from "../backends.ts";
import { note, printJson, printLine } from "../output.ts";
import { addFaultFlags, FAULT_KEYS_HELP, type FaultFlags, faultOptions } from "./fault-flags.ts";

interface RehearseOptions extends FaultFlags {
  readonly baseUrl?: string;
  readonly run?: string;
  readonly clear?: boolean;
  readonly show?: boolean;
  readonly json?: boolean;
}

const HELP_AFTER = `${FAULT_KEYS_HELP}

Each flag takes the place of what that flag said before; the others stay. Every change begins to
count anew: --fail create=3x are the next three.

Examples:
  tidybox rehearse --latency create=2s --fail delete=0.1
  tidybox rehearse --quota 0          no create is let through from now on; nothing is ended
  tidybox rehearse --show --json
  tidybox rehearse --clear            nothing goes wrong any more
`;

export function rehearseCommand(): Command {
  const command = new Command("rehearse").description(
    "changes what goes wrong on purpose in a local service that runs: `tidybox serve`, or that of a run under way",
  );
  return addFaultFlags(command)
    .option(
      "--base-url <url>",
      "the service; its key is CWSANDBOX_API_KEY (default: CWSANDBOX_BASE_URL, else the one local service of this user)",
    )
    .option("--run <id>", "the local service of this run, while it is under way")
    .option("--clear", "nothing goes wrong any more, but for what is said beside it")
    .option("--show", "says what goes wrong now, and changes nothing")
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", HELP_AFTER)
    .action(rehearse);
}

async function rehearse(options: RehearseOptions, command: Command): Promise<void> {
  const faults = faultOptions(options, command);
  const isSaid = Object.keys(faults).length > 0;
  if (options.show === true && (isSaid || options.clear === true))
    command.error("error: --show changes nothing: leave the other flags out");
  if (options.show !== true && !isSaid && options.clear !== true)
    command.error("error: say what goes wrong from now on, or --clear, or --show");
  const connection = await rehearsedConnection(options);
  const service = rehearsalClient(transportOf(connection));
  try {
    const now = await change(options, faults, service);
    if (options.json === true) printJson({ baseUrl: connection.baseUrl, ...now });
    else for (const line of linesOf(now)) printLine(line);
    // Whoever has not said which service is meant sees here which it was.
    note(`the local service at ${connection.baseUrl}`);
  } catch (error) {
    if (error instanceof Error && "code" in error && typeof error.code === "string") throw error;
    throw toTidyboxError(error, { action: "rehearse", address: connection.baseUrl });
  } finally {
    connection.close();
  }
}

async function change(
  { show, clear }: RehearseOptions,
  faults: FaultOptions,
  service: ReturnType<typeof rehearsalClient>,
): Promise<Rehearsal> {
  if (clear === true) return service.set(faults);
  const before = await service.get();
  return show === true ? before : service.set({ ...before.faults, ...faults });
}

function linesOf({ faults, activeSandboxes, maxSandboxes }: Rehearsal): readonly string[] {
  const { latency, fail, dropAnswer, createRate, quota, seed } = faults;
  const said = [
    ...Object.entries({ latency, fail, "drop-answer": dropAnswer }).flatMap(([kind, values]) =>
      Object.entries(values ?? {}).map(([key, value]) => `${kind} ${key}=${value}`),
    ),
    ...(createRate === undefined ? [] : [`create-rate ${createRate}`]),
    ...(quota === undefined ? [] : [`quota ${quota}`]),
  ];
  const limit = maxSandboxes === undefined ? "no limit" : `at most ${maxSandboxes}`;
  const seeded = seed === undefined ? [] : [`seed ${seed}`];
  return [
    ...(said.length === 0 ? ["nothing goes wrong on purpose"] : [...said, ...seeded]),
    `${activeSandboxes} sandboxes active, ${limit}`,
  ];
}

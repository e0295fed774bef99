import { startLocalService } from "@tidybox/local";
import { Command, Option } from "commander";
import { addFaultFlags, FAULT_KEYS_HELP, type FaultFlags, faultOptions } from "./fault-flags.ts";
import { resourceOptions, type ResourceFlags } from "./serve-options.ts";
import { note, printLine } from "../output.ts";

interface ServeOptions extends FaultFlags, ResourceFlags {
  readonly host: string;
  readonly port: string;
  readonly token?: string;
  readonly maxSandboxes?: string;
}

const HELP_AFTER = `${FAULT_KEYS_HELP}

Examples:
  umask 077; tidybox serve > .env &      for dotenv, or a shell: set -a; . ./.env
  tidybox serve --image node:22=/srv/images/node22 --volume cache --data ~/.tidybox
  tidybox serve --latency create=2s,start=1s --quota 3 --create-rate 5/s
  tidybox serve --fail delete=0.1 --drop-answer create=0.1 --seed 42
`;

export function serveCommand(): Command {
  const command = new Command("serve")
    .description("the local sandbox service on its own, for any client of coreweave.sandbox.v1")
    .option("--host <address>", "a loopback address", "127.0.0.1")
    .option("--port <number>", "0: any that is free", "0")
    .addOption(
      new Option("--engine <name>", "how a sandbox is isolated")
        .choices(["auto", "bubblewrap", "process", "docker"])
        .default("auto"),
    )
    .option(
      "--token <token>",
      "what clients must send; better in TIDYBOX_SERVE_TOKEN, as argv can be seen by all (default: a random one)",
    )
    .option("--max-sandboxes <number>", "most sandboxes active at once (default: no limit)")
    .option(
      "--image <name=root...>",
      "an image: the directory it was unpacked to; with the engine docker, the name of an image there",
    )
    .option("--data <folder>", "a private folder for what outlives the service: templates, volumes")
    .option("--template <id=file...>", "a template: a JSON file with a sandbox spec")
    .option(
      "--volume <id...>",
      "a registered volume: id=folder of this machine (id=folder:ro read-only), or id alone for one of the service's own",
    )
    .option("--secrets <file>", 'a private JSON file: {"store": {"secret": "value"}}')
    .optionsGroup("What goes wrong on purpose (tidybox rehearse changes it while this runs):");
  return addFaultFlags(command).addHelpText("after", HELP_AFTER).action(serve);
}

async function serve(options: ServeOptions, command: Command): Promise<void> {
  const token = options.token ?? process.env["TIDYBOX_SERVE_TOKEN"];
  const service = await startLocalService({
    host: options.host,
    port: wholeNumber(options.port, "--port", 0, command),
    engine: options.engine,
    label: "tidybox serve",
    ...(token === undefined || token === "" ? {} : { token }),
    ...(options.maxSandboxes === undefined
      ? {}
      : { maxSandboxes: wholeNumber(options.maxSandboxes, "--max-sandboxes", 1, command) }),
    ...resourceOptions(options, command),
    faults: faultOptions(options, command),
    onNotice: ({ message }) => note(`tidybox: ${message}`),
  });
  const ended = endAsked();
  printLine(`CWSANDBOX_BASE_URL=${service.baseUrl}`);
  printLine(`CWSANDBOX_API_KEY=${service.token}`);
  await ended;
  await service.close();
}

/** The first SIGINT or SIGTERM stops everything in order; a second one does not wait for it. */
function endAsked(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => {
        if (asked) process.exit(1);
        asked = true;
        resolve();
      });
    }
  });
}

function wholeNumber(text: string, option: string, least: number, command: Command): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isInteger(value) && value >= least) return value;
  return command.error(
    `error: ${option} must be a whole number from ${least} up, not ${JSON.stringify(text)}`,
  );
}

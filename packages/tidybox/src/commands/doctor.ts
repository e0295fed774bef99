import { removeCleanupHandlers } from "@tidybox/client";
import { resolveConfig } from "@tidybox/fixtures";
import { Command } from "commander";
import { examineLocal } from "../doctor/examine-local.ts";
import { examineRemote } from "../doctor/examine-remote.ts";
import { reportLines } from "../doctor/report.ts";
import { EXIT_FAILED } from "../exit-status.ts";
import { note, printJson, printLine } from "../output.ts";

/** What sandboxes run where nobody says. */
const DEFAULT_IMAGE = "python:3.11";

interface DoctorOptions {
  readonly run?: boolean;
  readonly json?: boolean;
}

const HELP_AFTER = `
Says what the local engines need and how to get it; which limits (memory, cpu, processes, disk) hold
here, tried where they can be; whether sandboxes can have ports and no egress; and which programs a
sandbox finds, for the default image and each one of local.images in the configuration.
`;

export function doctorCommand(): Command {
  return new Command("doctor")
    .description(
      "says which backend and engine would be used here and what is missing, and proves it by running one sandbox; exit status 0 when tests would have sandboxes, 1 when not",
    )
    .option("--run", "with the remote service too: runs one sandbox there, which costs money")
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", HELP_AFTER)
    .action(doctor);
}

async function doctor(options: DoctorOptions): Promise<void> {
  const config = await resolveConfig({ root: process.cwd() });
  for (const line of config.notices) note(`tidybox: ${line}`);
  const image = config.sandbox.containerImage ?? DEFAULT_IMAGE;
  const local = config.backend === "local";
  // A local service takes its sandboxes along.
  if (local) removeCleanupHandlers();
  const report = local
    ? await examineLocal(config, image)
    : await examineRemote(config, image, options.run === true);
  if (options.json === true) printJson(report);
  else for (const line of reportLines(report)) printLine(line);
  if (!report.usable) process.exitCode = EXIT_FAILED;
}

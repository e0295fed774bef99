import { readFileSync } from "node:fs";
import { ConfigurationError } from "@tidybox/client";
import { LocalServiceError } from "@tidybox/local";
import { Command, CommanderError } from "commander";
import { doctorCommand } from "./commands/doctor.ts";
import { listCommand } from "./commands/list.ts";
import { reapCommand } from "./commands/reap.ts";
import { rehearseCommand } from "./commands/rehearse.ts";
import { serveCommand } from "./commands/serve.ts";
import { EXIT_FAILED, EXIT_USAGE } from "./exit-status.ts";
import { complain } from "./output.ts";

const { version } = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
) as {
  readonly version: string;
};

const WRONG_OPTIONS: readonly string[] = ["local_option_invalid", "local_address_refused"];

function isWrongUsage(error: unknown): boolean {
  return (
    error instanceof ConfigurationError ||
    (error instanceof LocalServiceError && WRONG_OPTIONS.includes(error.code))
  );
}

const program = new Command("tidybox")
  .description("Sandboxes for tests that always clean up after themselves.")
  .version(version)
  .showHelpAfterError("(tidybox --help lists the commands)")
  .exitOverride();

const commands = [serveCommand(), rehearseCommand(), listCommand(), reapCommand(), doctorCommand()];
for (const command of commands) {
  program.addCommand(command.exitOverride());
}

/** Does what the arguments of this process ask for, and sets its exit status. */
export async function runProgram(): Promise<void> {
  try {
    await program.parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) {
      // Commander has printed it; help and version are no errors.
      process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
    } else {
      complain(error);
      process.exitCode = isWrongUsage(error) ? EXIT_USAGE : EXIT_FAILED;
    }
  }
}

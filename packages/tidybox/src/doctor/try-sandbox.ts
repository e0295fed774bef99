import type { Connection, SandboxOptions } from "@tidybox/client";
import { Sandbox } from "@tidybox/client";
import type { Finding, InsideImage } from "./report.ts";
import { toolsInside } from "./tools-inside.ts";

const LIFETIME_SECONDS = 120;
const START_SECONDS = 60;
const COMMAND_SECONDS = 30;

/** No exit code of tty, which has 1 for a terminal that it cannot name. */
const NO_TERMINAL = 99;
const UNNAMED = 1;

export interface Trial {
  readonly findings: readonly Finding[];
  /** Undefined where none was made. */
  readonly inside: InsideImage | undefined;
}

/**
 * Makes one sandbox, runs commands in it and stops it. Never throws: what fails is a finding.
 *
 * @param look at the sandbox, for one more
 */
export async function trySandbox(
  connection: Connection,
  options: SandboxOptions,
  image: string,
  look?: (sandbox: Sandbox) => Promise<Finding>,
): Promise<Trial> {
  const findings: Finding[] = [];
  let inside: Trial["inside"];
  try {
    await using sandbox = await Sandbox.run({
      ...options,
      containerImage: image,
      connection,
      maxLifetimeSeconds: LIFETIME_SECONDS,
      startTimeoutSeconds: START_SECONDS,
    });
    inside = { image, tools: await toolsInside(sandbox) };
    if (look !== undefined) findings.push(await look(sandbox));
    findings.push(await terminal(sandbox));
    await sandbox.stop();
    findings.unshift({
      name: "sandbox",
      state: "ok",
      detail: `${sandbox.id} was made, ran commands and was stopped`,
    });
  } catch (error) {
    const detail = error instanceof Error ? error.message.replaceAll("\n", " ") : String(error);
    findings.unshift({ name: "sandbox", state: "missing", detail });
  }
  return { findings, inside };
}

async function terminal(sandbox: Sandbox): Promise<Finding> {
  const name = "terminals";
  try {
    await using command = await sandbox.spawn(
      ["sh", "-c", `test -t 1 || exit ${NO_TERMINAL}; tty`],
      {
        tty: true,
        timeoutSeconds: COMMAND_SECONDS,
      },
    );
    const exitCode = await command.exitCode;
    if (exitCode === NO_TERMINAL)
      return { name, state: "weaker", detail: "a command that should be in one was not" };
    const ran = "a command ran in one";
    if (exitCode !== UNNAMED) return { name, state: "ok", detail: ran };
    return {
      name,
      state: "ok",
      detail: `${ran}; it has no name in there (tty says "not a tty"): run what needs one, such as tmux or gpg, by script -qec COMMAND /dev/null`,
    };
  } catch (error) {
    const detail = error instanceof Error ? error.message.replaceAll("\n", " ") : String(error);
    return { name, state: "weaker", detail, remedy: "Install @lydell/node-pty for this platform." };
  }
}

import type { TerminalSize } from "./input.ts";

export interface SpawnOptions {
  /** One of its containers, by name. Default: the primary one. */
  readonly container?: string | undefined;
  /** Directory to run in; needs `/bin/sh` in the image. Default: the container's own. */
  readonly cwd?: string | undefined;
  /** Variables over those of the container. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** After that the command is cancelled. Default: none. */
  readonly timeoutSeconds?: number | undefined;
  /** Cancels the command, at any time. */
  readonly signal?: AbortSignal | undefined;
  /** `"ignore"`: empty; of a terminal, nothing is typed. Default `"ignore"`. */
  readonly stdin?: "pipe" | "ignore" | undefined;
  /** `"ignore"`: thrown away as it comes, and never in anybody's way. Default `"pipe"`. */
  readonly stdout?: "pipe" | "ignore" | undefined;
  /** Like `stdout`. Default `"pipe"`. */
  readonly stderr?: "pipe" | "ignore" | undefined;
  /** Run in a terminal, whose output is all in `stdout`. `true`: 80 columns, 24 rows. */
  readonly tty?: boolean | TerminalSize | undefined;
}

import type { ExecResult, PartialExecResult } from "./result.ts";

/** One command from its start on: what is known of it by now. */
export interface ObservedCommand {
  readonly command: readonly string[];
  readonly cwd: string | undefined;
  /** What it has printed so far, and for how long it has been running. */
  soFar(): PartialExecResult;
  /** Neither is there while it runs. */
  readonly result: ExecResult | undefined;
  readonly error: unknown;
}

/** Called when a command starts. */
export type CommandListener = (command: ObservedCommand) => void;

/** The same, for the one who runs it. */
export class CommandRecord implements ObservedCommand {
  readonly command: readonly string[];
  readonly cwd: string | undefined;
  readonly soFar: () => PartialExecResult;
  result: ExecResult | undefined;
  error: unknown;

  constructor(command: readonly string[], cwd: string | undefined, soFar: () => PartialExecResult) {
    this.command = command;
    this.cwd = cwd;
    this.soFar = soFar;
  }
}

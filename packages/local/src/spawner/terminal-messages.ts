import type { RawEnd } from "./messages.ts";

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** A program and what it needs to run in a terminal of its own. */
export interface TerminalCommand extends TerminalSize {
  readonly file: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd: string;
  /**
   * Whether the program itself becomes the terminal's owner, so that Ctrl+C goes to it. False for
   * one that only leads to the owner, which then takes the terminal by `setsid --ctty`.
   */
  readonly owns: boolean;
}

/** What the helper asks of the process that holds one terminal. */
export type TerminalRequest =
  | {
      readonly type: "open";
      readonly command: TerminalCommand;
      /** Unix socket of the service, and the number by which it knows this stream. */
      readonly socket: string;
      readonly id: number;
      /** The addon that opens pseudo-terminals. */
      readonly native: string;
    }
  | ({ readonly type: "resize"; readonly id: number } & TerminalSize)
  | { readonly type: "kill" };

export type TerminalAnswer =
  | { readonly type: "opened"; readonly pid: number }
  | { readonly type: "failed"; readonly reason: string }
  | { readonly type: "resized"; readonly id: number }
  | ({ readonly type: "ended" } & RawEnd);

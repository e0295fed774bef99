import type { RelayCommand } from "./relay-messages.ts";
import type { TerminalCommand, TerminalSize } from "./terminal-messages.ts";
import type { TerminalSupport } from "./terminal-program.ts";

/** How a sandbox process ended. Exactly one of the two is set, as Node reports it. */
export interface RawEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ToolMount {
  readonly source: string;
  /** An existing, empty directory; or a file when the source is one. */
  readonly target: string;
}

export interface FailedMount {
  readonly source: string;
  readonly reason: string;
}

export interface HelperSetup {
  readonly type: "setup";
  /** Unix socket of the service on which streams for standard input are handed over. */
  readonly inputSocket: string;
  /** Bound in the helper's own mount namespace, while it is still root. */
  readonly mounts: readonly ToolMount[];
  /** What the helper becomes after the mounts; absent: it stays what it is. */
  readonly identity?: { readonly uid: number; readonly gid: number };
  /** What opens terminals; absent: nothing does. */
  readonly terminals?: TerminalSupport;
  /** `NAME=value` in the environment of every process that must not outlive the service. */
  readonly watchdogMarker?: string;
}

/** What the service asks of the helper process. */
export type HelperRequest =
  | HelperSetup
  | { readonly type: "fifos"; readonly id: number; readonly paths: readonly string[] }
  | {
      readonly type: "spawn";
      readonly id: number;
      readonly file: string;
      readonly args: readonly string[];
      readonly environment: Readonly<Record<string, string>>;
      readonly cwd: string;
      readonly wantsInput: boolean;
      /** It only leads into a sandbox, waits for its one child and ends as that does. */
      readonly leads: boolean;
      readonly stdoutPath: string;
      readonly stderrPath: string;
    }
  | {
      readonly type: "hold";
      readonly id: number;
      /** A command that becomes the program after it. */
      readonly leader: readonly string[];
      readonly file: string;
      /** For the program's `--args FD`, so that host paths are not in its command line. */
      readonly fileArgs: readonly string[];
      readonly command: readonly string[];
      readonly environment: Readonly<Record<string, string>>;
    }
  | { readonly type: "terminal"; readonly id: number; readonly command: TerminalCommand }
  /** `terminal` is the id of the request that opened it. */
  | ({ readonly type: "resize"; readonly id: number; readonly terminal: number } & TerminalSize)
  | {
      readonly type: "relay";
      readonly id: number;
      readonly command: RelayCommand;
      /** The program that relays. */
      readonly main: string;
    }
  | { readonly type: "remove"; readonly id: number; readonly paths: readonly string[] }
  | { readonly type: "signal"; readonly id: number; readonly signal: NodeJS.Signals }
  | { readonly type: "kill-marked"; readonly id: number; readonly marker: string };

/** What the helper answers; `id` is the request's. */
export type HelperAnswer =
  | { readonly type: "ready"; readonly failedMounts: readonly FailedMount[] }
  | { readonly type: "done"; readonly id: number; readonly count: number }
  | { readonly type: "spawned"; readonly id: number; readonly pid: number }
  | { readonly type: "held"; readonly id: number; readonly innerPid: number }
  /** In the order of the command's ports. */
  | { readonly type: "relaying"; readonly id: number; readonly hostPorts: readonly number[] }
  | { readonly type: "failed"; readonly id: number; readonly reason: string }
  | ({ readonly type: "ended"; readonly id: number; readonly stderrTail: string } & RawEnd);

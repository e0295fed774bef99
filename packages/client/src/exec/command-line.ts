import { randomUUID } from "node:crypto";

/** A command as it goes over the wire. */
export interface DirectedCommand {
  readonly argv: readonly string[];
  /** Whether this end says that the directory could not be entered, and not the command's own. */
  readonly missedDirectory: (exitCode: number, stderr: string) => boolean;
  /** What this end then prints to stderr, and nothing else. */
  readonly missedWord: string | undefined;
}

const NO_DIRECTORY_EXIT_CODE = 125;

const ENTER_DIRECTORY = `cd -- "$1" 2>/dev/null || { printf %s "$2" >&2; exit ${NO_DIRECTORY_EXIT_CODE}; }; shift 2; exec "$@"`;

/**
 * The wire has no working directory, so a shell changes to it first. Directory and words are
 * arguments of the script, never part of it: there is nothing to quote. A directory that cannot be
 * entered is told by a word that nobody else can print: the command must not get the blame.
 */
export function inDirectory(command: readonly string[], cwd: string | undefined): DirectedCommand {
  if (cwd === undefined)
    return { argv: command, missedDirectory: () => false, missedWord: undefined };
  const word = `no-directory-${randomUUID()}`;
  return {
    argv: ["/bin/sh", "-c", ENTER_DIRECTORY, "sh", cwd, word, ...command],
    missedDirectory: (exitCode, stderr) => exitCode === NO_DIRECTORY_EXIT_CODE && stderr === word,
    missedWord: word,
  };
}

/** For messages: quoted where a shell would need it, and cut where it is long. */
export function showCommand(command: readonly string[]): string {
  const line = command
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(" ");
  return line.length > LONGEST_SHOWN ? `${line.slice(0, LONGEST_SHOWN)}…` : line;
}

const LONGEST_SHOWN = 200;

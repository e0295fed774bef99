/**
 * The wire has no working directory, so a shell changes to it first. Directory and words are
 * arguments of the script, never part of it: there is nothing to quote.
 */
export function inDirectory(
  command: readonly string[],
  cwd: string | undefined,
): readonly string[] {
  if (cwd === undefined) return command;
  return ["/bin/sh", "-c", 'cd -- "$1" && shift && exec "$@"', "sh", cwd, ...command];
}

/** For messages: quoted where a shell would need it, and cut where it is long. */
export function showCommand(command: readonly string[]): string {
  const line = command
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(" ");
  return line.length > LONGEST_SHOWN ? `${line.slice(0, LONGEST_SHOWN)}…` : line;
}

const LONGEST_SHOWN = 200;

/**
 * What runs in the sandbox for files that no single message can carry (reference 3.9). Path and size
 * are arguments of the scripts, never part of them. The first argument after a script is its `$0`.
 */

export const EXIT = { NOT_FOUND: 2, IS_DIRECTORY: 3, NOT_DIRECTORY: 4 } as const;

/** Moves a whole temporary file to its place, where it is all there. */
const COMMIT = [
  'size=$(wc -c < "$2") || exit 1',
  'if [ "$size" -ne "$3" ]; then echo "received $size of $3 bytes" >&2; exit 1; fi',
  'mv -f -- "$2" "$1" || exit 1',
];

/** `mv` would put it into the directory. */
const REFUSE_DIRECTORY = `if [ -d "$1" ]; then echo "is a directory" >&2; exit ${EXIT.IS_DIRECTORY}; fi`;

/** As the unary call does. */
const MAKE_PARENTS = 'case "$1" in */*) mkdir -p -- "${1%/*}/" || exit 1;; esac';

/** Through a temporary file beside the target: a broken transfer leaves the old content. */
export function writeCommand(path: string, temporary: string, sizeBytes: number): Command {
  const script = [
    REFUSE_DIRECTORY,
    MAKE_PARENTS,
    `trap 'rm -f -- "$2"' EXIT`,
    'cat > "$2" || exit 1',
    ...COMMIT,
  ].join("\n");
  return ["/bin/sh", "-c", script, "cwsandbox-write-file", path, temporary, String(sizeBytes)];
}

/** The first half of a write whose size is not known: the end of its input may be a broken wire. */
export function receiveCommand(path: string, temporary: string): Command {
  const script = [REFUSE_DIRECTORY, MAKE_PARENTS, 'exec cat > "$2"'].join("\n");
  return ["/bin/sh", "-c", script, "tidybox-receive-file", path, temporary];
}

/** The second half. */
export function commitCommand(path: string, temporary: string, sizeBytes: number): Command {
  const script = [REFUSE_DIRECTORY, ...COMMIT].join("\n");
  return ["/bin/sh", "-c", script, "tidybox-commit-file", path, temporary, String(sizeBytes)];
}

export function removeCommand(path: string): Command {
  return ["/bin/sh", "-c", 'rm -f -- "$1"', "tidybox-remove-file", path];
}

export function sizeCommand(path: string): Command {
  return ["/bin/sh", "-c", 'stat -c %s -- "$1" 2>/dev/null', "cwsandbox-stat", path];
}

const FIND_FILE = [
  `if [ ! -e "$1" ]; then echo "no such file" >&2; exit ${EXIT.NOT_FOUND}; fi`,
  REFUSE_DIRECTORY,
];

export function readCommand(path: string): Command {
  const script = [...FIND_FILE, 'exec cat -- "$1"'].join("\n");
  return ["/bin/sh", "-c", script, "cwsandbox-read-file-streaming", path];
}

/** The same, with its size, where it can be had, as the first line of stderr. */
export function measuredReadCommand(path: string): Command {
  const script = [
    ...FIND_FILE,
    'echo "$(stat -L -c %s -- "$1" 2>/dev/null)" >&2',
    'exec cat -- "$1"',
  ].join("\n");
  return ["/bin/sh", "-c", script, "tidybox-read-file", path];
}

export function packCommand(path: string): Command {
  const script = [
    `if [ ! -e "$1" ]; then echo "no such directory" >&2; exit ${EXIT.NOT_FOUND}; fi`,
    `if [ ! -d "$1" ]; then echo "is not a directory" >&2; exit ${EXIT.NOT_DIRECTORY}; fi`,
    'cd -- "$1" && exec tar -c -f - .',
  ].join("\n");
  return ["/bin/sh", "-c", script, "tidybox-pack", path];
}

export function unpackCommand(path: string): Command {
  const script = [
    `if [ -e "$1" ] && [ ! -d "$1" ]; then echo "is not a directory" >&2; exit ${EXIT.NOT_DIRECTORY}; fi`,
    'mkdir -p -- "$1" && cd -- "$1" && exec tar -x -o -p -f -',
  ].join("\n");
  return ["/bin/sh", "-c", script, "tidybox-unpack", path];
}

type Command = readonly string[];

/**
 * What runs in the sandbox for files that no single message can carry (reference 3.9). Path and size
 * are arguments of the scripts, never part of them. The first argument after a script is its `$0`.
 */

/** Through a temporary file beside the target: a broken transfer leaves the old content. */
export function writeCommand(path: string, sizeBytes: number): readonly string[] {
  const script = [
    'tmp="$1.tmp.$$"',
    `trap 'rm -f -- "$tmp"' EXIT`,
    'cat > "$tmp" || exit 1',
    'size=$(wc -c < "$tmp") || exit 1',
    'if [ "$size" -ne "$2" ]; then echo "received $size of $2 bytes" >&2; exit 1; fi',
    'mv -f -- "$tmp" "$1" || exit 1',
  ].join("\n");
  return ["/bin/sh", "-c", script, "cwsandbox-write-file", path, String(sizeBytes)];
}

export function sizeCommand(path: string): readonly string[] {
  return ["/bin/sh", "-c", 'stat -c %s -- "$1" 2>/dev/null', "cwsandbox-stat", path];
}

export const READ_EXIT = { NOT_FOUND: 2, IS_DIRECTORY: 3 } as const;

export function readCommand(path: string): readonly string[] {
  const script = [
    `if [ ! -e "$1" ]; then echo "no such file" >&2; exit ${READ_EXIT.NOT_FOUND}; fi`,
    `if [ -d "$1" ]; then echo "is a directory" >&2; exit ${READ_EXIT.IS_DIRECTORY}; fi`,
    'exec cat -- "$1"',
  ].join("\n");
  return ["/bin/sh", "-c", script, "cwsandbox-read-file-streaming", path];
}

/**
 * What the official SDKs run in a sandbox for files that are too large for one message, after the
 * table of reference 3.9: the scripts are ours, written to the order that it gives.
 */

type Argv = readonly string[];

const script = (body: string, name: string, ...args: string[]): Argv => [
  "/bin/sh",
  "-c",
  body,
  name,
  ...args,
];

const COUNT = (file: string): string =>
  `n=$(wc -c < ${file}) || exit 1; n=$((n + 0)); ` +
  `if [ "$n" -ne "$2" ]; then echo "expected $2 bytes, got $n" >&2; exit 1; fi`;

/** Straight onto the path: a short one is seen only when it is there. */
export const pythonWrite = (path: string, sizeBytes: number): Argv =>
  script(`cat > "$1" || exit 1; ${COUNT('"$1"')}`, "cwsandbox-write-file", path, String(sizeBytes));

/** By a temporary file beside it, which takes its place. */
export const jsWrite = (path: string, sizeBytes: number): Argv =>
  script(
    `t="$1.tmp.$$"; trap 'rm -f -- "$t"' EXIT; cat > "$t" || exit 1; ${COUNT('"$t"')}; ` +
      'mv -f -- "$t" "$1" || exit 1',
    "cwsandbox-write-file",
    path,
    String(sizeBytes),
  );

export const streamedWrite = (path: string): Argv =>
  script('cat > "$1" || exit 1', "cwsandbox-write-file-streaming", path);

export const sizeProbe = (path: string): Argv =>
  script('stat -c %s -- "$1" 2>/dev/null', "cwsandbox-stat", path);

const READ =
  'if [ ! -e "$1" ]; then echo "$1: no such file" >&2; exit 2; fi; ' +
  'if [ -d "$1" ]; then echo "$1: is a directory" >&2; exit 3; fi; cat -- "$1"';

export const pythonRead = (path: string): Argv => script(READ, "cwsandbox-read-file", path);

export const jsRead = (path: string): Argv => script(READ, "cwsandbox-read-file-streaming", path);

export const pythonStreamedRead = (path: string): Argv => ["/bin/cat", "--", path];

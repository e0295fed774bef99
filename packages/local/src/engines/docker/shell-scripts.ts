/**
 * What runs in containers, for any POSIX shell. Commands go through a shell because Docker cannot
 * end what it executes: it must be known by which process id that can be done.
 */

/** The mark's three words after the token: process id, and the exit code if it cannot be executed. */
const MARK = `
t=$1; shift; s=
case $1 in
*/*) if [ ! -e "$1" ]; then s=127; elif [ -d "$1" ] || [ ! -x "$1" ]; then s=126; fi ;;
*) command -v -- "$1" >/dev/null 2>&1 || s=127 ;;
esac
echo "$t $$ $s"`;

const EXECUTE = `
case $s in
127) echo "$1: not found" >&2; exit 127 ;;
126) echo "$1: permission denied" >&2; exit 126 ;;
esac
exec "$@"`;

/** Arguments: token, command. The mark is the first line on stderr. */
export const RUN = `${MARK} >&2${EXECUTE}`;

/** In a terminal; waits for a line, before which the terminal gets its size. */
export const RUN_IN_TERMINAL = `${MARK}; read -r t${EXECUTE}`;

/** What the container itself does: waits until the service is gone, whose end closes its input. */
export const WAIT = "read -r _";

/** Argument: process id. */
export const TERMINATE = 'kill -TERM "$1"';

/**
 * Argument: process id of who leads the session. Ends the session and all that descends from it, in
 * sessions of their own too. They are stopped first, until no new one is found: a parent that has been
 * killed no longer tells whose its children are, and none may fork meanwhile. A daemon, whose parent
 * is gone already, is nobody's: it ends with the sandbox.
 */
export const KILL_SESSION = `
s=$1
known=" $s "
kill -STOP "$s" 2>/dev/null
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
  found=
  for f in /proc/[0-9]*/stat; do
    { read -r l <"$f"; } 2>/dev/null || continue
    p=\${l%% *}
    case $known in *" $p "*) continue ;; esac
    set -- \${l##*) }
    [ "$1" = Z ] && continue
    case $known in *" $2 "*) ;; *) [ "$4" = "$s" ] || continue ;; esac
    kill -STOP "$p" 2>/dev/null && known="$known$p " && found=1
  done
  [ -z "$found" ] && break
done
kill -9 $known 2>/dev/null`;

/** Exit code 0: the kernel has killed something in this container for its memory limit (cgroup v2, v1). */
export const HAS_RUN_OUT_OF_MEMORY = `
for f in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
  [ -r "$f" ] || continue
  while read -r k n; do [ "$k" = oom_kill ] && [ "$n" -gt 0 ] && exit 0; done <"$f"
done
exit 1`;

export const FILE_NOT_FOUND = 44;
export const FILE_IS_DIRECTORY = 45;
export const FILE_IS_IRREGULAR = 46;
export const FILE_DENIED = 47;
/** stderr has the size. */
export const FILE_TOO_LARGE = 48;

/** Arguments: path, most bytes. */
export const READ_FILE = `
[ -d "$1" ] && exit ${FILE_IS_DIRECTORY}
[ -e "$1" ] || exit ${FILE_NOT_FOUND}
[ -f "$1" ] || exit ${FILE_IS_IRREGULAR}
[ -r "$1" ] || exit ${FILE_DENIED}
n=$(stat -L -c %s "$1" 2>/dev/null) && [ "$n" -gt "$2" ] && { echo "$n" >&2; exit ${FILE_TOO_LARGE}; }
exec cat <"$1"`;

/** Argument: path. */
export const WRITE_FILE = `
[ -d "$1" ] && exit ${FILE_IS_DIRECTORY}
[ -e "$1" ] && [ ! -f "$1" ] && exit ${FILE_IS_IRREGULAR}
d=\${1%/*}
[ "$d" = "$1" ] || [ -z "$d" ] || [ -d "$d" ] || mkdir -p "$d" || exit
exec cat >"$1"`;

export function shell(script: string, ...args: readonly string[]): readonly string[] {
  return ["/bin/sh", "-c", script, "sh", ...args];
}

import type { Sandbox } from "@tidybox/client";

/**
 * Ends every process whose environment has the variable, again and again until none is left: one
 * may be forking while we look. By environment and not by "all but me", which on an engine without
 * pids of its own would be all of the machine's.
 */
const SCRIPT = `
count=0
for attempt in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  left=$(grep -lF -- "$1" /proc/[0-9]*/environ 2>/dev/null | cut -d / -f 3)
  [ -n "$left" ] || { echo "$count"; exit 0; }
  [ "$count" != 0 ] || count=$(echo "$left" | wc -l)
  kill -KILL $left 2>/dev/null
  sleep 0.1
done
echo "still there:" $left >&2
exit 1`;

/**
 * Ends what a program has left running, and answers how many processes that were. It finds what
 * inherited the variable; what has wiped its environment ends with the sandbox.
 */
export async function endLeftProcesses(sandbox: Sandbox, variable: string): Promise<number> {
  const command = ["sh", "-c", SCRIPT, "end-left-processes", variable];
  const result = await sandbox.exec(command, { check: true, timeoutSeconds: 60 });
  return Number(result.stdout);
}

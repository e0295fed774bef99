import type { ExecResult, Sandbox } from "@tidybox/client";

const SCRIPT = `for process in /proc/[0-9]*; do tr '\\0' ' ' <"$process/cmdline"; echo; done 2>/dev/null`;

/** Prints the command line of every process in the sandbox; its own is among them. */
export function listRunning(sandbox: Sandbox): Promise<ExecResult> {
  return sandbox.exec(["sh", "-c", SCRIPT]);
}

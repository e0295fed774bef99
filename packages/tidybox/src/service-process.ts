/**
 * V8 collects garbage with several threads at once. What a service streams is garbage a moment later,
 * and on two cores those threads take from the sandboxes a third more than they spare their process.
 */
const FLAGS = ["--single-threaded-gc"] as const;

/**
 * Goes on as a process with the flags that a service wants, which count only at a program's start:
 * the same process id, streams and environment. Does nothing where Node cannot (Windows, before
 * 22.15).
 */
export function becomeServiceProcess(): void {
  const isOne = FLAGS.every((flag) => process.execArgv.includes(flag));
  if (isOne || process.execve === undefined) return;
  // Still called experimental, with a warning that would be the first thing to be read.
  process.removeAllListeners("warning");
  process.execve(process.execPath, [
    process.execPath,
    ...process.execArgv,
    ...FLAGS,
    ...process.argv.slice(1),
  ]);
}

/** The program that Jest forks its workers with. */
const WORKER_PROGRAM = /[\\/]jest-worker[\\/]/;

/**
 * A fork of Jest's outlives its runner for as long as the running test takes, an endless one for
 * ever: while a file runs, it dies with the runner. Its sandboxes are the coordinator's business.
 *
 * @returns what takes the guard off again: one that is left at a worker's end keeps it alive until
 *   Jest ends it by force
 */
export function dieWithTheRunner(): () => void {
  // In band this is the runner, which may be somebody's fork itself, who need not stay.
  const isWorker = process.send !== undefined && WORKER_PROGRAM.test(process.argv[1] ?? "");
  if (!isWorker) return () => {};
  const die = (): void => {
    process.kill(process.pid, "SIGKILL");
  };
  process.once("disconnect", die);
  return () => {
    process.off("disconnect", die);
  };
}

import { KEEP_ALIVE_COMMAND } from "@tidybox/protocol";
import type { ProcessEnd } from "../spawner/process-end.ts";
import type { Main } from "./main-process.ts";

/** With these the shell of the keep-alive might not find its `sleep`, or not even start. */
const CHANGES_WHAT_RUNS = /^(PATH|LD_.*)$/;

/**
 * Whether a main command is the platform's own keep-alive and would do, here, what it always does:
 * nothing, until SIGTERM ends it with exit code 0. Then there is no need to run it.
 */
export function isKeepAlive(
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
): boolean {
  return (
    command.length === KEEP_ALIVE_COMMAND.length &&
    KEEP_ALIVE_COMMAND.every((word, index) => command[index] === word) &&
    !Object.keys(environment).some((name) => CHANGES_WHAT_RUNS.test(name))
  );
}

/**
 * Stands in for a keep-alive that runs on the host's own programs: a sandbox lives without it, and
 * two processes and a third of the time of a create are saved. Clients see no difference; inside,
 * it is not in the process list, and so nothing inside can end it.
 */
export class KeepAlive implements Main {
  readonly #end = Promise.withResolvers<ProcessEnd>();

  /** It prints nothing. */
  readonly drained = Promise.resolve();

  get exited(): Promise<ProcessEnd> {
    return this.#end.promise;
  }

  started(): Promise<boolean> {
    return Promise.resolve(true);
  }

  terminate(): void {
    this.#end.resolve({ exitCode: 0, lost: false });
  }

  /** There is nothing to kill: it ends with its sandbox. */
  kill(): void {}

  startFailure(): Promise<undefined> {
    return Promise.resolve(undefined);
  }
}

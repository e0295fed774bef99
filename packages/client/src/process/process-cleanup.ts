import { checkSeconds } from "../options/checks.ts";
import { Endings } from "./endings.ts";
import type { LiveSandbox } from "./live-sandbox.ts";

export interface CleanupHandlerOptions {
  /**
   * For each main process, between being asked and being killed. Default 0: who presses Ctrl+C does
   * not wait, and nobody is left to look at what a main process says at its end.
   */
  readonly gracefulShutdownSeconds?: number | undefined;
  /** For all stops together; what is left then goes to a process of its own. Default 10. */
  readonly timeoutSeconds?: number | undefined;
}

const SHARED = Symbol.for("tidybox.process-cleanup");
const DEFAULT_TIMEOUT_SECONDS = 10;

/** What lives in this process (or this worker thread), and the handlers that end it. */
export class ProcessCleanup {
  readonly #live = new Map<string, LiveSandbox>();
  #endings: Endings | undefined;
  #wanted = true;

  /** Installs the handlers on first need. Told twice is once; the later one counts. */
  add(sandbox: LiveSandbox): void {
    this.#live.set(sandbox.key, sandbox);
    if (this.#endings !== undefined) this.#endings.added(sandbox);
    else if (this.#wanted) this.install({});
  }

  /** It has been stopped, or never was. */
  drop(key: string): void {
    if (this.#live.delete(key)) this.#endings?.dropped(key);
  }

  install({
    gracefulShutdownSeconds = 0,
    timeoutSeconds = DEFAULT_TIMEOUT_SECONDS,
  }: CleanupHandlerOptions): void {
    checkSeconds(gracefulShutdownSeconds, "gracefulShutdownSeconds");
    checkSeconds(timeoutSeconds, "timeoutSeconds");
    this.remove();
    this.#wanted = true;
    this.#endings = new Endings(this.#live, {
      graceSeconds: gracefulShutdownSeconds,
      timeoutSeconds,
    });
  }

  remove(): void {
    this.#wanted = false;
    this.#endings?.close();
    this.#endings = undefined;
  }
}

/** One for all copies of this package in the thread: two sets of handlers would not agree who decides. */
export function processCleanup(): ProcessCleanup {
  const known: unknown = Reflect.get(globalThis, SHARED);
  if (known !== undefined) return known as ProcessCleanup;
  const made = new ProcessCleanup();
  Object.defineProperty(globalThis, SHARED, { value: made });
  return made;
}

import { constants } from "node:os";
import { CleanupError } from "../errors/cleanup-error.ts";
import { hasDecidingListener } from "./deciding-listeners.ts";
import { Guard } from "./guard.ts";
import { handOver } from "./hand-over.ts";
import type { LiveSandbox } from "./live-sandbox.ts";
import { addProcessListeners } from "./process-listeners.ts";
import { type FailedStop, type StopLimits, stopLive } from "./stop-live.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
type EndingSignal = (typeof SIGNALS)[number];

/**
 * One Ctrl+C may come twice: from the terminal, and from npm, which passes it on. Far below what a
 * second press takes.
 */
const SAME_SIGNAL_MS = 20;

/**
 * All ways in which this process or worker thread can end. Where there is time, its sandboxes are
 * stopped from here, over connections that are open; where there is none, or it is used up, by a
 * process of its own. That is the second choice, because a container ends with its first process and
 * takes the others along.
 *
 * | end                                   | sandboxes are stopped                                   |
 * | ------------------------------------- | ------------------------------------------------------- |
 * | nothing left to do (`beforeExit`)     | here, within the limit                                  |
 * | `process.exit()`, uncaught error      | by the helper                                           |
 * | signal, no other handler              | here, within the limit; then the process ends           |
 * | signal, the program has a handler     | here, at once; how the process ends is up to it         |
 * | second signal                         | by the helper; the process ends at once                 |
 * | end or termination of a worker thread | by its guard, a helper that runs from the first sandbox |
 * | SIGKILL                               | at the end of their lifetime                            |
 */
export class Endings {
  readonly #live: ReadonlyMap<string, LiveSandbox>;
  readonly #limits: StopLimits;
  readonly #unlisten: () => void;
  readonly #guard: Guard | undefined;
  readonly #unstoppable = new WeakSet<LiveSandbox>();
  #stopping: Promise<readonly FailedStop[]> | undefined;
  /** The signal of which the process is dying, and since when. */
  #dying: { readonly signal: EndingSignal; readonly since: number } | undefined;

  constructor(live: ReadonlyMap<string, LiveSandbox>, limits: StopLimits) {
    this.#live = live;
    this.#limits = limits;
    const { isMainThread } = process.getBuiltinModule("node:worker_threads");
    this.#guard = isMainThread ? undefined : new Guard(limits.graceSeconds);
    for (const sandbox of live.values()) this.#guard?.add(sandbox);
    this.#unlisten = addProcessListeners({
      beforeExit: this.#onBeforeExit,
      exit: this.#onExit,
      // Worker threads get no signals.
      ...(isMainThread ? Object.fromEntries(SIGNALS.map((each) => [each, this.#onSignal])) : {}),
    });
  }

  added(sandbox: LiveSandbox): void {
    this.#guard?.add(sandbox);
  }

  dropped(key: string): void {
    this.#guard?.drop(key);
  }

  /** What lives then is nobody's concern any more. */
  close(): void {
    this.#unlisten();
    this.#guard?.close();
  }

  /** Emitted again after the stops, since they were something to do. */
  readonly #onBeforeExit = (): void => {
    if ([...this.#live.values()].every((sandbox) => this.#unstoppable.has(sandbox))) return;
    void this.#stop().then((failures) => {
      for (const { sandbox } of failures) this.#unstoppable.add(sandbox);
      if (failures.length > 0) warn(failures);
    });
  };

  readonly #onExit = (): void => {
    // What the program's code made of its sandboxes' end is not why it ends.
    if (this.#dying !== undefined) process.exitCode = 128 + constants.signals[this.#dying.signal];
    if (this.#guard?.works !== true) handOver([...this.#live.values()], this.#limits.graceSeconds);
  };

  readonly #onSignal = (signal: EndingSignal): void => {
    if (hasDecidingListener(signal, this.#onSignal)) {
      void this.#stop();
      return;
    }
    if (this.#dying !== undefined) {
      const { signal: first, since } = this.#dying;
      if (signal !== first || performance.now() - since > SAME_SIGNAL_MS) this.#dieOf(signal);
      return;
    }
    this.#dying = { signal, since: performance.now() };
    // The program runs on meanwhile, and meets closed sandboxes: no news to anybody.
    addProcessListeners({ uncaughtException: () => {} });
    void this.#stop().then((failures) => {
      if (failures.length > 0) warn(failures);
      // A warning is printed with the next tick.
      setImmediate(() => this.#dieOf(signal));
    });
  };

  #stop(): Promise<readonly FailedStop[]> {
    this.#stopping ??= stopLive(this.#live, this.#limits).finally(() => {
      this.#stopping = undefined;
    });
    return this.#stopping;
  }

  /**
   * With 128 + the signal's number, as the guide has it: a shell has that in `$?` either way, and a
   * parent that is no shell is told the same number.
   */
  #dieOf(signal: EndingSignal): void {
    this.#unlisten();
    handOver([...this.#live.values()], this.#limits.graceSeconds);
    process.exit(128 + constants.signals[signal]);
  }
}

function warn(failures: readonly FailedStop[]): void {
  const { message } = new CleanupError(failures);
  process.emitWarning(`${message}\nA process of its own goes on trying for a minute.`, {
    type: "TidyboxWarning",
    code: "TIDYBOX_CLEANUP_FAILED",
  });
}

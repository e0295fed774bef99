import { DEFAULT_STOP_GRACE_SECONDS } from "@tidybox/protocol";
import { Connection, type ConnectionOptions } from "../connection/connection.ts";
import { sharedConnection } from "../connection/shared-connection.ts";
import { settlesWithin } from "../connection/waiting.ts";
import { CleanupError, type CleanupFailure } from "../errors/cleanup-error.ts";
import { TimeoutError } from "../errors/request-errors.ts";
import { TidyboxError } from "../errors/tidybox-error.ts";
import { checkSeconds } from "../options/checks.ts";
import { mergeSandboxOptions } from "../options/merge.ts";
import type { SandboxOptions } from "../options/sandbox-options.ts";
import { reportLeft } from "../sandbox/cleanup-report.ts";
import { handleOf } from "../sandbox/handle-of.ts";
import { SandboxHandle } from "../sandbox/handle.ts";
import { type ListOptions, Listing } from "../sandbox/listing.ts";
import { trackSandbox } from "../sandbox/live.ts";
import { untrackSandbox } from "../process/untrack.ts";
import { type RunOptions, Sandbox, type SandboxList } from "../sandbox/sandbox.ts";
import { hasEnded } from "../sandbox/state.ts";
import { stopEach } from "./stop-all.ts";

export interface SessionOptions {
  /** Of every sandbox of the session; its tags also narrow the session's listings. */
  readonly defaults?: SandboxOptions | undefined;
  /** A connection stays open when the session closes; one made from options here does not. */
  readonly connection?: Connection | ConnectionOptions | undefined;
}

export interface SessionListOptions extends ListOptions {
  /** Take over what is found, so that it is stopped with the session. Default false. */
  readonly adopt?: boolean | undefined;
}

export interface CloseOptions {
  /** For each main process. Default 10. */
  readonly gracefulShutdownSeconds?: number | undefined;
  /** For all of it. Default: the grace and 60 more. */
  readonly timeoutSeconds?: number | undefined;
}

const CLOSE_MARGIN_SECONDS = 60;

/** Owns sandboxes, and stops them all when it closes. */
export class Session implements AsyncDisposable {
  readonly defaults: SandboxOptions;
  readonly connection: Connection;
  readonly #ownsConnection: boolean;
  readonly #sandboxes = new Set<Sandbox>();
  readonly #creating = new Set<Promise<Sandbox>>();
  readonly #giveUp = new AbortController();
  #closing: Promise<void> | undefined;

  constructor({ defaults = {}, connection }: SessionOptions = {}) {
    this.defaults = defaults;
    this.#ownsConnection = connection !== undefined && !(connection instanceof Connection);
    this.connection =
      connection instanceof Connection
        ? connection
        : connection === undefined
          ? sharedConnection()
          : new Connection(connection);
  }

  /** From the call of {@link Session.close} on. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /**
   * A new sandbox with the session's defaults and these options over them, stopped at the latest
   * when the session closes. Throws like {@link Sandbox.run}, and when the session is closed.
   */
  async sandbox(overrides: Omit<RunOptions, "connection"> = {}): Promise<Sandbox> {
    this.refuseWhenClosed();
    const { signal, startTimeoutSeconds, ...options } = overrides;
    const signals = [this.#giveUp.signal, signal].filter((each) => each !== undefined);
    const creation = Sandbox.run({
      ...mergeSandboxOptions(this.defaults, options),
      connection: this.connection,
      startTimeoutSeconds,
      signal: AbortSignal.any(signals),
    });
    this.#creating.add(creation);
    try {
      const sandbox = await creation;
      this.#own(sandbox);
      // Closed in the very moment of success: close() waits for this, and stops it.
      this.#giveUp.signal.throwIfAborted();
      return sandbox;
    } finally {
      this.#creating.delete(creation);
    }
  }

  /** Sandboxes with the session's default tags and these. */
  list({ adopt = false, tags = [], ...options }: SessionListOptions = {}): SandboxList {
    if (adopt) this.refuseWhenClosed();
    const all = [...new Set([...(this.defaults.tags ?? []), ...tags])];
    return new Listing(this.connection, { ...options, tags: all }, (record) => {
      const sandbox = new Sandbox(new SandboxHandle(this.connection, record.sandboxId, record));
      if (adopt && !hasEnded(sandbox.state)) this.adopt(sandbox);
      return sandbox;
    });
  }

  /** Takes a sandbox over: the session stops it when it closes. Twice is once. */
  adopt(sandbox: Sandbox): void {
    this.refuseWhenClosed();
    this.#own(sandbox);
  }

  /**
   * A sandbox by its id, taken over unless `adopt` is false.
   *
   * @throws NotFoundError
   */
  async fromId(id: string, { adopt = true }: { readonly adopt?: boolean } = {}): Promise<Sandbox> {
    this.refuseWhenClosed();
    const sandbox = await Sandbox.fromId(id, { connection: this.connection });
    if (adopt) this.adopt(sandbox);
    return sandbox;
  }

  /**
   * Stops all sandboxes in parallel; creates that are under way are undone. Closing twice is one
   * close. Afterwards the session refuses new ones.
   *
   * @throws CleanupError with every sandbox that could not be stopped
   */
  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async #close(options: CloseOptions): Promise<void> {
    const { gracefulShutdownSeconds = DEFAULT_STOP_GRACE_SECONDS } = options;
    const { timeoutSeconds = gracefulShutdownSeconds + CLOSE_MARGIN_SECONDS } = options;
    checkSeconds(gracefulShutdownSeconds, "gracefulShutdownSeconds");
    checkSeconds(timeoutSeconds, "timeoutSeconds");
    const endsAt = performance.now() + timeoutSeconds * 1000;
    this.#giveUp.abort(closedError());
    const undone = this.#undoCreates(timeoutSeconds);
    const { failures } = await stopEach(this.#sandboxes, {
      gracefulShutdownSeconds,
      timeoutSeconds,
    });
    const late = await undone;
    // Sandboxes that came to life while the others were stopped.
    const leftSeconds = Math.max(0.001, (endsAt - performance.now()) / 1000);
    const rest = await stopEach(
      [...this.#sandboxes].filter(({ id }) => !failures.some(({ sandboxId }) => sandboxId === id)),
      {
        gracefulShutdownSeconds: Math.min(gracefulShutdownSeconds, leftSeconds),
        timeoutSeconds: leftSeconds,
      },
    );
    this.#sandboxes.clear();
    if (this.#ownsConnection) this.connection.close();
    const all = [...failures, ...rest.failures, ...late];
    if (all.length > 0) throw new CleanupError(all);
  }

  async #undoCreates(timeoutSeconds: number): Promise<readonly CleanupFailure[]> {
    const pending = [...this.#creating];
    if (await settlesWithin(Promise.allSettled(pending), timeoutSeconds)) return [];
    const error = new TimeoutError({
      message: `a create has not come to its end within ${timeoutSeconds} s`,
    });
    return [...this.#creating].map(() => ({
      sandboxId: "",
      tags: this.defaults.tags ?? [],
      error,
    }));
  }

  #own(sandbox: Sandbox): void {
    if (this.#sandboxes.has(sandbox)) return;
    this.#sandboxes.add(sandbox);
    const handle = handleOf(sandbox);
    handle.onEnd(() => this.#sandboxes.delete(sandbox));
    trackSandbox(handle);
  }

  /** For sessions that get their sandboxes elsewhere. @throws when the session is closed */
  protected refuseWhenClosed(): void {
    if (this.closed) throw closedError();
  }

  /** Somebody else stops this one from now on. */
  protected disown(sandbox: Sandbox): void {
    this.#sandboxes.delete(sandbox);
    untrackSandbox(handleOf(sandbox).connection.baseUrl, sandbox.id);
  }

  /**
   * Closes it when an `await using` block is left. Does not throw, for the reason given with
   * {@link Sandbox}: a failure is a process warning, which names the sandboxes. To have it thrown,
   * call {@link Session.close}.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.close();
    } catch (error) {
      if (!(error instanceof CleanupError)) throw error;
      reportLeft(error.failures);
    }
  }
}

function closedError(): TidyboxError {
  return new TidyboxError({
    code: "session_closed",
    message: "The session is closed: it takes no more sandboxes.",
    advice: "Make sandboxes before the session is closed, and await them.",
  });
}

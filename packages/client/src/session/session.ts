import { DEFAULT_STOP_GRACE_SECONDS, type Sandbox as SandboxRecord } from "@tidybox/protocol";
import { Connection, isConnection } from "../connection/connection.ts";
import { sharedConnection } from "../connection/shared-connection.ts";
import { Deadline } from "../connection/deadline.ts";
import { settlesWithin } from "../connection/waiting.ts";
import { CleanupError } from "../errors/cleanup-error.ts";
import { TimeoutError } from "../errors/request-errors.ts";
import { TidyboxError } from "../errors/tidybox-error.ts";
import { checkInteger, checkSeconds, checkText } from "../options/checks.ts";
import { mergeSandboxOptions } from "../options/merge.ts";
import type { SandboxOptions } from "../options/sandbox-options.ts";
import { toSandboxSpec } from "../options/sandbox-spec.ts";
import { toTemplateOverrides } from "../options/template-overrides.ts";
import { asError, reportLeft } from "../sandbox/cleanup-report.ts";
import { getSandbox } from "../sandbox/get.ts";
import { handleOf } from "../sandbox/handle-of.ts";
import { SandboxHandle } from "../sandbox/handle.ts";
import { Listing } from "../sandbox/listing.ts";
import { Sandbox, type SandboxList } from "../sandbox/sandbox.ts";
import { hasEnded } from "../sandbox/state.ts";
import { stopLimits } from "../sandbox/stop.ts";
import { BackgroundStops } from "./background-stops.ts";
import type {
  CloseOptions,
  ReleaseOptions,
  SessionFromIdOptions,
  SessionListOptions,
  SessionOptions,
  SessionSandboxOptions,
} from "./session-options.ts";
import { OwnedSandboxes } from "./owned-sandboxes.ts";
import { startTogether } from "./start-together.ts";
import { Starts } from "./starts.ts";
import { stopEach } from "./stop-all.ts";

const CLOSE_MARGIN_SECONDS = 60;
const DEFAULT_MAX_STARTING = 64;
const DEFAULT_MAX_STOPPING = 16;
/** Of `maxStarting` and `maxStopping`. */
const MOST_AT_ONCE = 10_000;
/** Most of `sandboxes()`. */
const MOST_TOGETHER = 100_000;
/** How long who asked for several is kept waiting for the end of those that ran. */
const UNDO_WAIT_SECONDS = 5;

/** Owns sandboxes, and stops them all when it closes. */
export class Session implements AsyncDisposable {
  readonly defaults: SandboxOptions;
  readonly connection: Connection;
  readonly #ownsConnection: boolean;
  readonly #owned: OwnedSandboxes;
  readonly #starts: Starts;
  readonly #stops: BackgroundStops;
  #closing: Promise<void> | undefined;

  /** @throws ConfigurationError for a limit that cannot be, or an unusable connection */
  constructor({
    defaults = {},
    connection,
    maxStarting = DEFAULT_MAX_STARTING,
    maxStopping = DEFAULT_MAX_STOPPING,
    releaseOnDispose = false,
  }: SessionOptions = {}) {
    checkInteger(maxStarting, "maxStarting", 1, MOST_AT_ONCE);
    checkInteger(maxStopping, "maxStopping", 1, MOST_AT_ONCE);
    this.defaults = defaults;
    this.#ownsConnection = connection !== undefined && !isConnection(connection);
    this.connection =
      connection === undefined
        ? sharedConnection()
        : isConnection(connection)
          ? connection
          : new Connection(connection);
    this.#owned = new OwnedSandboxes((sandbox) => {
      if (!releaseOnDispose || this.closed) return false;
      this.release(sandbox);
      return true;
    });
    this.#starts = new Starts(this.connection, maxStarting, (sandbox) => this.#owned.own(sandbox));
    this.#stops = new BackgroundStops(maxStopping);
  }

  /** From the call of {@link Session.close} on. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /**
   * A new sandbox with the session's defaults and these options over them, stopped at the latest
   * when the session closes. Throws like {@link Sandbox.run}, and when the session is closed.
   */
  async sandbox(overrides: SessionSandboxOptions = {}): Promise<Sandbox> {
    this.refuseWhenClosed();
    const { signal, startTimeoutSeconds, ...options } = overrides;
    return this.#starts.start({ spec: this.#specFor(options), signal, startTimeoutSeconds });
  }

  /**
   * Several new sandboxes, started in parallel, `maxStarting` at a time: a number of the same, or one
   * for each of these options, in their order. All or none: when one cannot start, those that wait
   * are not begun, the others are undone, and the first error is thrown. `startCountsOf(error)` tells
   * how many were asked for, and how many failed. What the undoing leaves, the close of the session
   * stops, or tells.
   *
   * Of a session only: several sandboxes need somebody to own them, also when the caller is gone.
   * `startTimeoutSeconds` is for each of them, waiting for its turn included.
   *
   * @throws ConfigurationError for a wrong option of any of them, before anything is made; else like
   *   {@link Session.sandbox}
   */
  sandboxes(count: number, overrides?: SessionSandboxOptions): Promise<Sandbox[]>;
  sandboxes<const Each extends readonly SessionSandboxOptions[]>(
    each: Each,
  ): Promise<{ -readonly [Index in keyof Each]: Sandbox }>;
  async sandboxes(
    first: number | readonly SessionSandboxOptions[],
    overrides: SessionSandboxOptions = {},
  ): Promise<Sandbox[]> {
    this.refuseWhenClosed();
    const each = typeof first === "number" ? copies(first, overrides) : first;
    for (const { signal: _signal, startTimeoutSeconds, ...options } of each) {
      this.#specFor(options);
      if (startTimeoutSeconds !== undefined)
        checkSeconds(startTimeoutSeconds, "startTimeoutSeconds");
    }
    return startTogether(
      each.map((options) => (withdrawn: AbortSignal) => {
        const { signal } = options;
        const either = signal === undefined ? withdrawn : AbortSignal.any([signal, withdrawn]);
        // As it is called from outside: a session may get its sandboxes elsewhere.
        return this.sandbox({ ...options, signal: either });
      }),
      (running) => this.#undo(running),
    );
  }

  /**
   * A new sandbox from a template, stopped at the latest when the session closes. Of the session's
   * defaults only the tags are added to what is given: others would take the template's place.
   * Throws like {@link Sandbox.fromTemplate}, and when the session is closed.
   */
  async sandboxFromTemplate(
    templateId: string,
    overrides: SessionSandboxOptions = {},
  ): Promise<Sandbox> {
    this.refuseWhenClosed();
    checkText(templateId, "templateId");
    const { signal, startTimeoutSeconds, ...options } = overrides;
    const { tags = [] } = this.defaults;
    const spec = toTemplateOverrides(
      mergeSandboxOptions(tags.length === 0 ? {} : { tags }, options),
    );
    return this.#starts.start({ spec, templateId, signal, startTimeoutSeconds });
  }

  #specFor(options: SandboxOptions) {
    return toSandboxSpec(mergeSandboxOptions(this.defaults, options));
  }

  /** Bounded; what is left the session still owns. Never throws. */
  async #undo(running: readonly Sandbox[]): Promise<void> {
    const stops = stopEach(running, { gracefulShutdownSeconds: 0 });
    await settlesWithin(stops, UNDO_WAIT_SECONDS);
  }

  /** What {@link list} asks the service for. */
  protected get tagsOfOwn(): readonly string[] {
    return this.defaults.tags ?? [];
  }

  /** Whether what the service has found by those tags is this session's. */
  protected isOwn(_record: SandboxRecord): boolean {
    return true;
  }

  /** Sandboxes with the session's default tags and these. Those it owns are the same objects. */
  list({ adopt = false, tags = [], ...options }: SessionListOptions = {}): SandboxList {
    if (adopt) this.refuseWhenClosed();
    const all = [...new Set([...this.tagsOfOwn, ...tags])];
    return new Listing(this.connection, { ...options, tags: all }, (record) => {
      if (!this.isOwn(record)) return undefined;
      const handle = new SandboxHandle(this.connection, record.sandboxId, record);
      const sandbox = this.#owned.find(handle) ?? new Sandbox(handle);
      if (adopt && !hasEnded(sandbox.state)) this.adopt(sandbox);
      return sandbox;
    });
  }

  /**
   * Takes a sandbox over: the session stops it when it closes. Twice is once, also with another
   * object of the same sandbox.
   *
   * @throws TidyboxError with code `"session_closed"`
   */
  adopt(sandbox: Sandbox): void {
    this.refuseWhenClosed();
    this.#owned.own(sandbox);
  }

  /**
   * Is done with a sandbox: returns at once, and the session stops it behind the caller's back,
   * `maxStopping` at a time. From now on every call on it fails but `stop`, which waits for this very
   * stop, as leaving its `await using` block does. Takes over one that is not the session's yet.
   * Twice is once; one whose stop is under way or done is left to that.
   *
   * A failure is not lost: the sandbox stays the session's, whose {@link Session.close} waits for the
   * stops that are under way, tries again what failed, and throws what is left. A process that ends
   * before stops what still waits. There are no snapshots of it, since nobody hears of their ids.
   *
   * @throws ConfigurationError for a wrong option; TidyboxError with code `"session_closed"`
   */
  release(sandbox: Sandbox, options: ReleaseOptions = {}): void {
    const { gracefulShutdownSeconds, timeoutSeconds } = options;
    stopLimits({ gracefulShutdownSeconds, timeoutSeconds });
    const handle = handleOf(sandbox);
    if (handle.stopping || handle.closedSignal.aborted) return;
    this.refuseWhenClosed();
    const owned = this.#owned.own(sandbox);
    for (const each of [handle, handleOf(owned)]) each.close("it was released");
    this.#stops.add(owned, { gracefulShutdownSeconds, timeoutSeconds });
  }

  /**
   * A sandbox by its id, taken over unless `adopt` is false.
   *
   * @throws NotFoundError; TidyboxError with code `"session_closed"`
   */
  async fromId(id: string, { adopt = true, signal }: SessionFromIdOptions = {}): Promise<Sandbox> {
    this.refuseWhenClosed();
    const record = await getSandbox(this.connection, id, signal);
    const handle = new SandboxHandle(this.connection, record.sandboxId, record);
    const sandbox = this.#owned.find(handle) ?? new Sandbox(handle);
    if (adopt) this.adopt(sandbox);
    return sandbox;
  }

  /**
   * Stops all sandboxes in parallel, released ones too, each with the grace of its release; creates
   * that are under way are undone. Closing twice is one close. Afterwards the session refuses new ones.
   *
   * @throws CleanupError with every sandbox that could not be stopped
   */
  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async #close(options: CloseOptions): Promise<void> {
    const { gracefulShutdownSeconds = DEFAULT_STOP_GRACE_SECONDS, signal } = options;
    const { timeoutSeconds = gracefulShutdownSeconds + CLOSE_MARGIN_SECONDS } = options;
    checkSeconds(gracefulShutdownSeconds, "gracefulShutdownSeconds");
    checkSeconds(timeoutSeconds, "timeoutSeconds");
    using deadline = new Deadline(
      timeoutSeconds,
      [signal],
      () => new TimeoutError({ message: `it has not ended within ${timeoutSeconds} s` }),
    );
    const stop = (sandboxes: Iterable<Sandbox>) =>
      stopEach(sandboxes, {
        gracefulShutdownSeconds,
        timeoutSeconds: deadline.remainingSeconds,
        signal,
      });
    this.#starts.giveUp(closedError());
    this.#stops.hurry();
    const [{ failures }, leftOfStarts] = await Promise.all([
      stop(this.#owned),
      this.#starts.settle(deadline.signal),
    ]);
    const failed = new Set(failures.map(({ sandboxId }) => sandboxId));
    // Sandboxes that came to life, or could not be undone, while the others were stopped.
    const rest = await stop([...this.#owned].filter(({ id }) => !failed.has(id)));
    this.#owned.clear();
    this.#stops.abandon(closedError());
    if (this.#ownsConnection) this.connection.close();
    const all = [...failures, ...rest.failures, ...leftOfStarts];
    if (all.length > 0) throw new CleanupError(all);
  }

  /** For sessions that get their sandboxes elsewhere. @throws when the session is closed */
  protected refuseWhenClosed(): void {
    if (this.closed) throw closedError();
  }

  /** Somebody else stops this one from now on. */
  protected disown(sandbox: Sandbox): void {
    this.#owned.disown(sandbox);
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
      reportLeft(
        error instanceof CleanupError
          ? error.failures
          : [{ sandboxId: "", tags: this.defaults.tags ?? [], error: asError(error) }],
      );
    }
  }
}

/** @throws ConfigurationError unless it is a count */
function copies(count: number, overrides: SessionSandboxOptions): readonly SessionSandboxOptions[] {
  checkInteger(count, "count", 0, MOST_TOGETHER);
  return Array.from({ length: count }, () => overrides);
}

function closedError(): TidyboxError {
  return new TidyboxError({
    code: "session_closed",
    message: "The session is closed: it takes no more sandboxes.",
    advice: "Make sandboxes before the session is closed, and await them.",
  });
}

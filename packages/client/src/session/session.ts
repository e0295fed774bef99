import { DEFAULT_STOP_GRACE_SECONDS, type SandboxSpec } from "@tidybox/protocol";
import { Connection, type ConnectionOptions, isConnection } from "../connection/connection.ts";
import { sharedConnection } from "../connection/shared-connection.ts";
import { Deadline, abortable } from "../connection/waiting.ts";
import { CleanupError, type CleanupFailure } from "../errors/cleanup-error.ts";
import { TimeoutError } from "../errors/request-errors.ts";
import { TidyboxError } from "../errors/tidybox-error.ts";
import { checkSeconds, checkText } from "../options/checks.ts";
import { mergeSandboxOptions } from "../options/merge.ts";
import type { SandboxOptions } from "../options/sandbox-options.ts";
import { toSandboxSpec } from "../options/sandbox-spec.ts";
import { toTemplateOverrides } from "../options/template-overrides.ts";
import { asError, reportLeft } from "../sandbox/cleanup-report.ts";
import type { Undoing } from "../sandbox/creation.ts";
import { getSandbox } from "../sandbox/get.ts";
import { handleOf } from "../sandbox/handle-of.ts";
import { SandboxHandle } from "../sandbox/handle.ts";
import { type ListOptions, Listing } from "../sandbox/listing.ts";
import { trackSandbox } from "../sandbox/live.ts";
import { untrackSandbox } from "../process/untrack.ts";
import { type RunOptions, Sandbox, type SandboxList } from "../sandbox/sandbox.ts";
import { startSandbox } from "../sandbox/start.ts";
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

export interface SessionFromIdOptions {
  /** Take it over, so that it is stopped with the session. Default true. */
  readonly adopt?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface CloseOptions {
  /** For each main process. Default 10. */
  readonly gracefulShutdownSeconds?: number | undefined;
  /** For all of it. Default: the grace and 60 more. */
  readonly timeoutSeconds?: number | undefined;
  /** Gives up waiting: what has not ended by then is in the error. */
  readonly signal?: AbortSignal | undefined;
}

/** What a start asks for. */
interface PlannedStart {
  readonly spec: SandboxSpec;
  readonly templateId?: string;
}

const CLOSE_MARGIN_SECONDS = 60;

/** Owns sandboxes, and stops them all when it closes. */
export class Session implements AsyncDisposable {
  readonly defaults: SandboxOptions;
  readonly connection: Connection;
  readonly #ownsConnection: boolean;
  /** Each sandbox once, however many objects there are of it. */
  readonly #sandboxes = new Map<string, Sandbox>();
  readonly #creating = new Set<Promise<Sandbox>>();
  /** Starts that were given up, while what they made is found and stopped. */
  readonly #undoing = new Set<Undoing>();
  /** What those may have left that nobody knows the id of. */
  readonly #lost: CleanupFailure[] = [];
  readonly #giveUp = new AbortController();
  #closing: Promise<void> | undefined;

  constructor({ defaults = {}, connection }: SessionOptions = {}) {
    this.defaults = defaults;
    this.#ownsConnection = connection !== undefined && !isConnection(connection);
    this.connection =
      connection === undefined
        ? sharedConnection()
        : isConnection(connection)
          ? connection
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
  sandbox(overrides: Omit<RunOptions, "connection"> = {}): Promise<Sandbox> {
    return this.#creation(
      (options) => ({
        spec: toSandboxSpec(mergeSandboxOptions(this.defaults, options)),
      }),
      overrides,
    );
  }

  /**
   * A new sandbox from a template, stopped at the latest when the session closes. Of the session's
   * defaults only the tags are added to what is given: others would take the template's place.
   * Throws like {@link Sandbox.fromTemplate}, and when the session is closed.
   */
  sandboxFromTemplate(
    templateId: string,
    overrides: Omit<RunOptions, "connection"> = {},
  ): Promise<Sandbox> {
    return this.#creation((options) => {
      checkText(templateId, "templateId");
      const { tags = [] } = this.defaults;
      const merged = mergeSandboxOptions(tags.length === 0 ? {} : { tags }, options);
      return { spec: toTemplateOverrides(merged), templateId };
    }, overrides);
  }

  async #creation(
    plan: (options: SandboxOptions) => PlannedStart,
    overrides: Omit<RunOptions, "connection">,
  ): Promise<Sandbox> {
    this.refuseWhenClosed();
    const creation = this.#create(plan, overrides);
    this.#creating.add(creation);
    try {
      return await creation;
    } finally {
      this.#creating.delete(creation);
    }
  }

  async #create(
    plan: (options: SandboxOptions) => PlannedStart,
    overrides: Omit<RunOptions, "connection">,
  ): Promise<Sandbox> {
    const { signal, startTimeoutSeconds, ...options } = overrides;
    const { spec, templateId } = plan(options);
    const signals = [this.#giveUp.signal, signal].filter((each) => each !== undefined);
    const handle = await startSandbox(this.connection, spec, {
      startTimeoutSeconds,
      templateId,
      signal: AbortSignal.any(signals),
      onUndoing: (undoing) => this.#follow(undoing),
    });
    const sandbox = new Sandbox(handle);
    this.#own(sandbox);
    // Closed in the very moment of success: close() waits for this, and stops it.
    this.#giveUp.signal.throwIfAborted();
    return sandbox;
  }

  /** Sandboxes with the session's default tags and these. Those it owns are the same objects. */
  list({ adopt = false, tags = [], ...options }: SessionListOptions = {}): SandboxList {
    if (adopt) this.refuseWhenClosed();
    const all = [...new Set([...(this.defaults.tags ?? []), ...tags])];
    return new Listing(this.connection, { ...options, tags: all }, (record) => {
      const handle = new SandboxHandle(this.connection, record.sandboxId, record);
      const sandbox = this.#known(handle) ?? new Sandbox(handle);
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
    this.#own(sandbox);
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
    const sandbox = this.#known(handle) ?? new Sandbox(handle);
    if (adopt) this.adopt(sandbox);
    return sandbox;
  }

  /** The session's own object of a sandbox that it owns, brought up to date. */
  #known(handle: SandboxHandle): Sandbox | undefined {
    const owned = this.#sandboxes.get(keyOf(handle));
    if (owned !== undefined && handle.record !== undefined) handleOf(owned).see(handle.record);
    return owned;
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
    const { gracefulShutdownSeconds = DEFAULT_STOP_GRACE_SECONDS, signal } = options;
    const { timeoutSeconds = gracefulShutdownSeconds + CLOSE_MARGIN_SECONDS } = options;
    checkSeconds(gracefulShutdownSeconds, "gracefulShutdownSeconds");
    checkSeconds(timeoutSeconds, "timeoutSeconds");
    using deadline = new Deadline(
      timeoutSeconds,
      signal,
      () => new TimeoutError({ message: `it has not ended within ${timeoutSeconds} s` }),
    );
    const stop = (sandboxes: Iterable<Sandbox>) =>
      stopEach(sandboxes, {
        gracefulShutdownSeconds,
        timeoutSeconds: deadline.remainingSeconds,
        signal,
      });
    this.#giveUp.abort(closedError());
    const [{ failures }, unsettled] = await Promise.all([
      stop(this.#sandboxes.values()),
      this.#settleStarts(deadline.signal),
    ]);
    const failed = new Set(failures.map(({ sandboxId }) => sandboxId));
    // Sandboxes that came to life, or could not be undone, while the others were stopped.
    const rest = await stop([...this.#sandboxes.values()].filter(({ id }) => !failed.has(id)));
    this.#sandboxes.clear();
    if (this.#ownsConnection) this.connection.close();
    const all = [...failures, ...rest.failures, ...unsettled, ...this.#lost];
    if (all.length > 0) throw new CleanupError(all);
  }

  /** Waits until no start is under way, nor being undone. Answers those that still are at the end. */
  async #settleStarts(signal: AbortSignal): Promise<readonly CleanupFailure[]> {
    try {
      while (this.#creating.size + this.#undoing.size > 0) {
        const all = [...this.#creating, ...[...this.#undoing].map(({ done }) => done)];
        await abortable(Promise.allSettled(all), signal);
      }
      return [];
    } catch (error) {
      return [...this.#undoing].map(({ sandboxId, tags }) => ({
        sandboxId,
        tags,
        error: asError(error),
      }));
    }
  }

  #follow(undoing: Undoing): void {
    this.#undoing.add(undoing);
    void undoing.done.then((failure) => {
      this.#undoing.delete(undoing);
      if (failure === undefined) return;
      // The close tries again where the id is known, and tells of it where it is not.
      if (failure.sandboxId === "") this.#lost.push(failure);
      else this.#own(new Sandbox(new SandboxHandle(this.connection, failure.sandboxId)));
    });
  }

  /** Answers the object that stands for it here: the first one. */
  #own(sandbox: Sandbox): Sandbox {
    const key = keyOf(handleOf(sandbox));
    const owned = this.#sandboxes.get(key);
    if (owned !== undefined) return owned;
    this.#sandboxes.set(key, sandbox);
    const handle = handleOf(sandbox);
    handle.onEnd(() => this.#sandboxes.delete(key));
    trackSandbox(handle);
    return sandbox;
  }

  /** For sessions that get their sandboxes elsewhere. @throws when the session is closed */
  protected refuseWhenClosed(): void {
    if (this.closed) throw closedError();
  }

  /** Somebody else stops this one from now on. */
  protected disown(sandbox: Sandbox): void {
    const handle = handleOf(sandbox);
    this.#sandboxes.delete(keyOf(handle));
    untrackSandbox(handle.connection.baseUrl, handle.id);
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

/** Ids are a service's own. */
function keyOf({ connection, id }: SandboxHandle): string {
  return `${connection.baseUrl} ${id}`;
}

function closedError(): TidyboxError {
  return new TidyboxError({
    code: "session_closed",
    message: "The session is closed: it takes no more sandboxes.",
    advice: "Make sandboxes before the session is closed, and await them.",
  });
}

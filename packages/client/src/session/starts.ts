import type { SandboxSpec } from "@tidybox/protocol";
import type { Connection } from "../connection/connection.ts";
import { abortable } from "../connection/waiting.ts";
import type { CleanupFailure } from "../errors/cleanup-error.ts";
import { asError } from "../sandbox/cleanup-report.ts";
import type { Undoing } from "../sandbox/creation.ts";
import { SandboxHandle } from "../sandbox/handle.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import { StartQueue } from "../sandbox/start-queue.ts";
import { startSandbox } from "../sandbox/start.ts";

/** What a start asks for. */
export interface PlannedStart {
  readonly spec: SandboxSpec;
  readonly templateId?: string;
  readonly startTimeoutSeconds: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** The starts of a session, from being asked for to running, or until nothing is left of them. */
export class Starts {
  readonly #connection: Connection;
  readonly #queue: StartQueue;
  readonly #own: (sandbox: Sandbox) => void;
  readonly #creating = new Set<Promise<Sandbox>>();
  /** Those that were given up, while what they made is found and stopped. */
  readonly #undoing = new Set<Undoing>();
  /** What those may have left that nobody knows the id of. */
  readonly #lost: CleanupFailure[] = [];
  readonly #giveUp = new AbortController();

  /** @param own told of each sandbox that is there, also of one that could not be undone */
  constructor(connection: Connection, most: number, own: (sandbox: Sandbox) => void) {
    this.#connection = connection;
    this.#queue = new StartQueue(connection, most);
    this.#own = own;
  }

  async start(plan: PlannedStart): Promise<Sandbox> {
    const creation = this.#start(plan);
    this.#creating.add(creation);
    try {
      return await creation;
    } finally {
      this.#creating.delete(creation);
    }
  }

  /** All starts fail with this error, those that wait for their turn at once. */
  giveUp(reason: Error): void {
    this.#giveUp.abort(reason);
  }

  /** Waits until none is under way, nor being undone. Answers what may be left of them. */
  async settle(signal: AbortSignal): Promise<readonly CleanupFailure[]> {
    try {
      while (this.#creating.size + this.#undoing.size > 0) {
        const all = [...this.#creating, ...[...this.#undoing].map(({ done }) => done)];
        await abortable(Promise.allSettled(all), signal);
      }
      return this.#lost;
    } catch (error) {
      const unsettled = [...this.#undoing].map(({ sandboxId, tags }) => ({
        sandboxId,
        tags,
        error: asError(error),
      }));
      return [...unsettled, ...this.#lost];
    }
  }

  async #start({ spec, templateId, startTimeoutSeconds, signal }: PlannedStart): Promise<Sandbox> {
    const signals = [this.#giveUp.signal, signal].filter((each) => each !== undefined);
    const handle = await startSandbox(this.#connection, spec, {
      startTimeoutSeconds,
      templateId,
      queue: this.#queue,
      signal: AbortSignal.any(signals),
      onUndoing: (undoing) => this.#follow(undoing),
    });
    const sandbox = new Sandbox(handle);
    this.#own(sandbox);
    // Closed in the very moment of success: the close waits for this, and stops it.
    this.#giveUp.signal.throwIfAborted();
    return sandbox;
  }

  #follow(undoing: Undoing): void {
    this.#undoing.add(undoing);
    void undoing.done.then((failure) => {
      this.#undoing.delete(undoing);
      if (failure === undefined) return;
      // The close tries again where the id is known, and tells of it where it is not.
      if (failure.sandboxId === "") this.#lost.push(failure);
      else this.#own(new Sandbox(new SandboxHandle(this.#connection, failure.sandboxId)));
    });
  }
}

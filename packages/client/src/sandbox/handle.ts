import {
  type Sandbox as SandboxRecord,
  State,
  UNARY_FILE_CAP_BYTES,
  isTerminal,
} from "@tidybox/protocol";
import type { Connection } from "../connection/connection.ts";
import { SandboxClosedError } from "../errors/sandbox-errors.ts";
import type { CommandListener, ObservedCommand } from "../exec/observed-command.ts";
import { untrackSandbox } from "../process/untrack.ts";
import type { EndExplainer } from "./explained-end.ts";

/** What is known of a sandbox, and whether it may still be used. What acts on it is around it. */
export class SandboxHandle {
  readonly connection: Connection;
  readonly id: string;
  /** Most that one unary file call carries, as far as this service has told. */
  fileCapBytes: number = UNARY_FILE_CAP_BYTES;
  /** What a stop with snapshots asked for, and its token: tried again, it is the same stop. */
  snapshotStop: { readonly asked: string; readonly requestId: string } | undefined;
  /** Knows more than the service of what may have ended it. */
  endExplainer: EndExplainer | undefined;
  /** In place of the stop at the end of an `await using` block; answers whether it has taken over. */
  onDispose: (() => boolean) | undefined;
  #record: SandboxRecord | undefined;
  #stopping = false;
  #closedBecause: string | undefined;
  readonly #closed = new AbortController();
  readonly #commandListeners = new Set<CommandListener>();
  readonly #endListeners = new Set<() => void>();

  constructor(connection: Connection, id: string, record?: SandboxRecord) {
    this.connection = connection;
    this.id = id;
    this.#record = record;
  }

  /** As last seen. */
  get record(): SandboxRecord | undefined {
    return this.#record;
  }

  see(record: SandboxRecord): void {
    this.#record = record;
    if (isTerminal(record.status?.state ?? State.UNSPECIFIED))
      untrackSandbox(this.connection.baseUrl, this.id);
  }

  /** Aborts with a SandboxClosedError when the owner closes the handle. */
  get closedSignal(): AbortSignal {
    return this.#closed.signal;
  }

  /** Whether a stop of ours is under way or done: what fails then, fails because of it. */
  get stopping(): boolean {
    return this.#stopping;
  }

  noteStop(stopping: boolean): void {
    this.#stopping = stopping;
  }

  /** By the owner: from now on every call but a stop fails, and what is under way is cancelled. */
  close(because: string): void {
    if (this.#closedBecause !== undefined) return;
    this.#closedBecause = because;
    this.#closed.abort(this.closedError());
  }

  closedError(cause?: unknown): SandboxClosedError {
    const why = this.#closedBecause ?? "it was stopped";
    return new SandboxClosedError({
      message: `Sandbox ${this.id} is closed: ${why}.`,
      advice: "Something still used it after its end: await every call on it before.",
      sandboxId: this.id,
      cause,
    });
  }

  /** @throws SandboxClosedError when the owner has closed it */
  throwIfClosed(): void {
    if (this.#closedBecause !== undefined) throw this.closedError();
  }

  /** @throws SandboxClosedError when it is closed, or a stop has begun */
  throwIfUnusable(): void {
    if (this.#closedBecause !== undefined || this.#stopping) throw this.closedError();
  }

  /** Answers how to stop listening. */
  onCommand(listener: CommandListener): () => void {
    this.#commandListeners.add(listener);
    return () => this.#commandListeners.delete(listener);
  }

  noteCommand(command: ObservedCommand): void {
    for (const listener of this.#commandListeners) listener(command);
  }

  /** Called once, when it is known to have been stopped. Answers how to stop listening. */
  onEnd(listener: () => void): () => void {
    this.#endListeners.add(listener);
    return () => this.#endListeners.delete(listener);
  }

  noteEnd(): void {
    for (const listener of this.#endListeners) listener();
    this.#endListeners.clear();
  }
}

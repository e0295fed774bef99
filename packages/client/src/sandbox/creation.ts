import { create } from "@bufbuild/protobuf";
import { CreateSandboxRequestSchema, type SandboxSpec } from "@tidybox/protocol";
import { call } from "../connection/call.ts";
import type { Connection } from "../connection/connection.ts";
import { asError, reportLeft } from "./cleanup-report.ts";
import { deleteSandbox } from "./delete.ts";
import { SandboxHandle } from "./handle.ts";
import { trackCreate, trackSandbox } from "./live.ts";

export interface CreationOptions {
  /** Idempotency key: the same create, however often it is sent. */
  readonly requestId: string;
  /** What to do when a quota is used up. */
  readonly whenQuotaExceeded: "wait" | "throw";
  /** How long to wait for quota. */
  readonly startTimeoutSeconds: number;
}

/**
 * One create under way. Nobody's signal reaches it: a create that was cut off may have been carried
 * out all the same, and nobody would know the id. Whoever gives it up lets it come to its answer,
 * with the same key as often as it takes, and stops what it made.
 */
export class Creation {
  readonly answer: Promise<SandboxHandle>;
  readonly #connection: Connection;
  readonly #spec: SandboxSpec;
  #givenUp = false;
  #mayExist = false;

  constructor(connection: Connection, spec: SandboxSpec, options: CreationOptions) {
    this.#connection = connection;
    this.#spec = spec;
    this.answer = this.#send(options);
    // Whoever gives up no longer listens.
    this.answer.catch(() => {});
  }

  /** From now on it is not tried again unless a sandbox may be there already. */
  giveUp(): void {
    this.#givenUp = true;
  }

  /** After a failure of {@link answer}: whether a sandbox may be there that nobody knows. */
  get mayExist(): boolean {
    return this.#mayExist;
  }

  /** Where the process ends meanwhile, whoever cleans up after it knows of the create by its key. */
  async #send(options: CreationOptions): Promise<SandboxHandle> {
    const untrack = trackCreate(this, this.#connection, this.#spec, options.requestId);
    try {
      const record = await this.#call(options);
      const handle = new SandboxHandle(this.#connection, record.sandboxId, record);
      trackSandbox(handle);
      untrack();
      return handle;
    } catch (error) {
      if (!this.#mayExist) untrack();
      throw error;
    }
  }

  #call({ requestId, whenQuotaExceeded, startTimeoutSeconds }: CreationOptions) {
    const request = create(CreateSandboxRequestSchema, {
      sandbox: { spec: this.#spec },
      requestId,
    });
    return call(
      this.#connection,
      { action: "create a sandbox" },
      {
        retry: "passing",
        retryQuota: whenQuotaExceeded === "wait",
        quotaBudgetSeconds: startTimeoutSeconds,
        onFailure: (_error, mayHaveBeenDone) => {
          this.#mayExist ||= mayHaveBeenDone;
          return !this.#givenUp || this.#mayExist;
        },
      },
      (client, options) => client.createSandbox(request, options),
    );
  }

  /** Stops what the create makes or has made. Never throws: what may be left is reported. */
  async undo(): Promise<void> {
    this.giveUp();
    const { tags } = this.#spec;
    try {
      const { id } = await this.answer;
      await undoSandbox(this.#connection, id, tags);
    } catch (error) {
      if (this.#mayExist) reportLeft([{ sandboxId: "", tags, error: asError(error) }]);
    }
  }
}

/** Stops a sandbox that nobody will use. Never throws: what may be left is reported. */
export async function undoSandbox(
  connection: Connection,
  sandboxId: string,
  tags: readonly string[],
): Promise<void> {
  try {
    await deleteSandbox(connection, sandboxId, { graceSeconds: 0, missingOk: true });
  } catch (error) {
    reportLeft([{ sandboxId, tags, error: asError(error) }]);
  }
}

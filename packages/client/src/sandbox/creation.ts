import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  CreateSandboxFromTemplateRequestSchema,
  CreateSandboxRequestSchema,
  PartialSandboxSpecSchema,
  type SandboxSpec,
  SandboxSpecSchema,
} from "@tidybox/protocol";
import { call } from "../connection/call.ts";
import type { Connection } from "../connection/connection.ts";
import type { CleanupFailure } from "../errors/cleanup-error.ts";
import type { TidyboxError } from "../errors/tidybox-error.ts";
import { asError } from "./cleanup-report.ts";
import { deleteSandbox } from "./delete.ts";
import { SandboxHandle } from "./handle.ts";
import { trackCreate, trackSandbox } from "./live.ts";

export interface CreationOptions {
  /** Idempotency key: the same create, however often it is sent. */
  readonly requestId: string;
  /** What to do when a quota is used up. */
  readonly whenQuotaExceeded: "wait" | "throw";
  /** The template that it is made from; the spec then holds what takes the place of parts of it. */
  readonly templateId?: string | undefined;
  /** How long to wait for quota. */
  readonly startTimeoutSeconds: number;
  /** Of a service that does not answer. Default 30. */
  readonly outageBudgetSeconds?: number | undefined;
  /** Awaited before each try, unless the create was given up. Its error ends the tries. */
  readonly beforeTry?: (() => Promise<void>) | undefined;
  /** Told of each try that failed. */
  readonly onFailedTry?: ((error: TidyboxError) => void) | undefined;
}

/** A start that somebody gave up, while what it made is found and stopped. */
export interface Undoing {
  /** Empty until it is known. */
  readonly sandboxId: string;
  readonly tags: readonly string[];
  /** What may be left of it; undefined when nothing is. Never rejects. */
  readonly done: Promise<CleanupFailure | undefined>;
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
  readonly #options: CreationOptions;
  #givenUp = false;
  #mayExist = false;
  #lastFailure: TidyboxError | undefined;

  constructor(connection: Connection, spec: SandboxSpec, options: CreationOptions) {
    this.#connection = connection;
    this.#spec = spec;
    this.#options = options;
    this.answer = this.#send();
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

  /** Of the last try that failed; undefined while none has. */
  get lastFailure(): TidyboxError | undefined {
    return this.#lastFailure;
  }

  /** Where the process ends meanwhile, whoever cleans up after it knows of the create by its key. */
  async #send(): Promise<SandboxHandle> {
    const untrack = trackCreate(this, this.#connection, this.#spec, this.#options);
    try {
      const record = await this.#call();
      const handle = new SandboxHandle(this.#connection, record.sandboxId, record);
      trackSandbox(handle);
      untrack();
      return handle;
    } catch (error) {
      if (!this.#mayExist) untrack();
      throw error;
    }
  }

  #call() {
    const { requestId, templateId, whenQuotaExceeded, startTimeoutSeconds } = this.#options;
    const { outageBudgetSeconds } = this.#options;
    const request = create(CreateSandboxRequestSchema, {
      sandbox: { spec: this.#spec },
      requestId,
    });
    const fromTemplate =
      templateId === undefined
        ? undefined
        : create(CreateSandboxFromTemplateRequestSchema, {
            templateId,
            // A whole spec has the fields and numbers of a partial one.
            overrides: fromBinary(
              PartialSandboxSpecSchema,
              toBinary(SandboxSpecSchema, this.#spec),
            ),
            requestId,
          });
    return call(
      this.#connection,
      {
        action:
          templateId === undefined
            ? "create a sandbox"
            : `create a sandbox from template ${JSON.stringify(templateId)}`,
      },
      {
        retry: "passing",
        retryQuota: whenQuotaExceeded === "wait",
        quotaBudgetSeconds: startTimeoutSeconds,
        outageBudgetSeconds,
        onFailure: (error, mayHaveBeenDone) => {
          this.#lastFailure = error;
          this.#options.onFailedTry?.(error);
          this.#mayExist ||= mayHaveBeenDone;
          return !this.#givenUp || this.#mayExist;
        },
      },
      async (client, options) => {
        await this.#mayTry();
        return fromTemplate === undefined
          ? client.createSandbox(request, options)
          : client.createSandboxFromTemplate(fromTemplate, options);
      },
    );
  }

  /** What may have been made is looked for without any queue. */
  async #mayTry(): Promise<void> {
    if (this.#givenUp) return;
    try {
      await this.#options.beforeTry?.();
    } catch (error) {
      this.giveUp();
      throw error;
    }
  }

  /** Stops what the create makes or has made. */
  undo(): Undoing {
    this.giveUp();
    const { tags } = this.#spec;
    let known = "";
    const undo = async (): Promise<CleanupFailure | undefined> => {
      try {
        ({ id: known } = await this.#find());
      } catch (error) {
        return this.#mayExist ? { sandboxId: "", tags, error: asError(error) } : undefined;
      }
      return undoSandbox(this.#connection, known, tags).done;
    };
    return {
      tags,
      done: undo(),
      get sandboxId() {
        return known;
      },
    };
  }

  /** The key finds what was made of it, also when all its answers were lost. */
  async #find(): Promise<SandboxHandle> {
    try {
      return await this.answer;
    } catch (error) {
      if (!this.#mayExist) throw error;
      return this.#send();
    }
  }
}

/** Stops a sandbox that nobody will use. */
export function undoSandbox(
  connection: Connection,
  sandboxId: string,
  tags: readonly string[],
): Undoing {
  const undo = async (): Promise<CleanupFailure | undefined> => {
    try {
      await deleteSandbox(connection, sandboxId, { graceSeconds: 0, missingOk: true });
      return undefined;
    } catch (error) {
      return { sandboxId, tags, error: asError(error) };
    }
  };
  return { sandboxId, tags, done: undo() };
}

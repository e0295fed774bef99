import { randomUUID } from "node:crypto";
import { ErrorReason } from "@tidybox/protocol";
import { isLoopback } from "../connection/address.ts";
import type { Connection } from "../connection/connection.ts";
import { pause } from "../connection/waiting.ts";
import { QuotaError } from "../errors/request-errors.ts";
import { TidyboxError } from "../errors/tidybox-error.ts";
import { processCleanup } from "../process/process-cleanup.ts";
import { CreatePace, MODEST_CREATES_PER_SECOND } from "./create-pace.ts";
import { Turns } from "./turns.ts";

/** One start that may be under way, until it is disposed of. */
export interface StartTurn extends Disposable {
  /** To be awaited before each try of the create: waits until it may leave. @throws the signal's reason */
  beforeTry(): Promise<void>;
  /** A try of the create has failed. */
  failed(error: TidyboxError): void;
  /** The service has accepted the create. */
  accepted(): void;
}

/**
 * Whose start is next where many are asked for at once: so many under way, and creates no faster than
 * the service takes them. It begins with {@link MODEST_CREATES_PER_SECOND}, on this very machine
 * without a limit, and learns from what is refused.
 */
export class StartQueue {
  readonly #turns: Turns;
  readonly #pace: CreatePace;
  /** For the end of the process, while anybody waits. */
  readonly #key = `starts ${randomUUID()}`;

  /** @param most starts under way at once, from the create until the sandbox runs */
  constructor(connection: Connection, most: number) {
    this.#turns = new Turns(most);
    this.#pace = new CreatePace(
      isLoopback(connection.baseUrl) ? Number.POSITIVE_INFINITY : MODEST_CREATES_PER_SECOND,
    );
  }

  /** As in "No sandbox within 60 s: …". */
  describe(): string {
    const { perSecond } = this.#pace;
    const pace =
      perSecond === Number.POSITIVE_INFINITY
        ? ""
        : `, and creates leave at ${perSecond.toFixed(1)}/s`;
    return `it waited for its turn; ${this.#turns.taken} others of its session are starting${pace}`;
  }

  /** @throws the signal's reason; TidyboxError with code `"process_ending"` */
  async turn(signal: AbortSignal): Promise<StartTurn> {
    const end = await this.#taken(signal);
    try {
      let sentAt = await this.#leave(signal);
      let first = true;
      return {
        beforeTry: async () => {
          if (!first) sentAt = await this.#leave(signal);
          first = false;
        },
        failed: (error) => {
          if (error instanceof QuotaError && speaksOfSpeed(error))
            this.#pace.refused(sentAt, error.retryDelaySeconds, nowSeconds());
        },
        accepted: () => this.#pace.accepted(),
        // Not at once: who has failed may take back what waits behind it.
        [Symbol.dispose]: () => void setImmediate(end),
      };
    } catch (error) {
      end();
      throw error;
    }
  }

  async #taken(signal: AbortSignal): Promise<() => void> {
    const turn = this.#turns.take(signal);
    if (this.#turns.waiting > 0) this.#track();
    try {
      return await turn;
    } finally {
      if (this.#turns.waiting === 0) processCleanup().drop(this.#key);
    }
  }

  /** What waits would begin while the process stops what has begun. */
  #track(): void {
    processCleanup().add({
      key: this.#key,
      sandboxId: "",
      tags: [],
      stop: async () => this.#turns.refuseWaiting(endingError()),
    });
  }

  /** Waits until a create may leave; answers when it did. */
  async #leave(signal: AbortSignal): Promise<number> {
    for (;;) {
      const now = nowSeconds();
      const at = this.#pace.nextAt(now);
      if (at <= now) {
        this.#pace.sent(now);
        return now;
      }
      await pause(at - now, signal);
    }
  }
}

/** Of the refusals that the reference knows, one speaks of speed; without a word it is the quota. */
export function speaksOfSpeed({ reason }: QuotaError): boolean {
  return reason === ErrorReason.RUNNER_OVERLOADED;
}

function nowSeconds(): number {
  return performance.now() / 1000;
}

function endingError(): TidyboxError {
  return new TidyboxError({
    code: "process_ending",
    message: "The process is ending: no more sandboxes are started.",
    advice: "Nothing was sent of this one.",
  });
}

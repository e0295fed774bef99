import {
  LIST_TIMEOUT_SECONDS,
  MAX_LIST_PAGES,
  type Sandbox as SandboxRecord,
  State,
} from "@tidybox/protocol";
import { call } from "../connection/call.ts";
import type { Connection } from "../connection/connection.ts";
import { Deadline } from "../connection/waiting.ts";
import { TimeoutError } from "../errors/request-errors.ts";
import { TidyboxError } from "../errors/tidybox-error.ts";
import { invalidOption } from "../options/invalid-option.ts";
import { checkTags } from "../options/tags.ts";
import { type SandboxState, toWireState } from "./state.ts";

export interface ListOptions {
  /** All of them must be on a sandbox. */
  readonly tags?: readonly string[] | undefined;
  /** Only this state; a final one finds ended sandboxes without `showTerminated`. */
  readonly status?: SandboxState | undefined;
  /** Ended sandboxes too. Default false. */
  readonly showTerminated?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a listing finds, page by page as it is read. Can be read more than once, each time anew. */
export class Listing<T> implements AsyncIterable<T> {
  readonly #connection: Connection;
  readonly #options: ListOptions;
  readonly #state: State;
  readonly #wrap: (record: SandboxRecord) => T;

  /** @throws ConfigurationError for a tag or state that cannot be */
  constructor(connection: Connection, options: ListOptions, wrap: (record: SandboxRecord) => T) {
    this.#connection = connection;
    this.#options = options;
    this.#wrap = wrap;
    checkTags(options.tags ?? []);
    const state = options.status === undefined ? State.UNSPECIFIED : toWireState(options.status);
    if (state === undefined)
      throw invalidOption("status", `is no state to look for: ${JSON.stringify(options.status)}`);
    this.#state = state;
  }

  /** @throws TimeoutError when all pages take longer than 300 s */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    using deadline = new Deadline(
      LIST_TIMEOUT_SECONDS,
      this.#options.signal,
      () =>
        new TimeoutError({
          message: `Listing the sandboxes takes longer than ${LIST_TIMEOUT_SECONDS} s.`,
        }),
    );
    const seenTokens = new Set<string>();
    for (let pageToken = ""; ;) {
      const page = await this.#page(pageToken, deadline.signal);
      for (const record of page.sandboxes) yield this.#wrap(record);
      pageToken = page.nextPageToken;
      if (pageToken === "") return;
      if (seenTokens.has(pageToken) || seenTokens.size >= MAX_LIST_PAGES - 1)
        throw endless(seenTokens.size + 1);
      seenTokens.add(pageToken);
    }
  }

  async toArray(): Promise<T[]> {
    const all: T[] = [];
    for await (const each of this) all.push(each);
    return all;
  }

  #page(pageToken: string, signal: AbortSignal) {
    const { tags = [], showTerminated = false } = this.#options;
    return call(
      this.#connection,
      { action: "list sandboxes" },
      { retry: "passing", signal },
      (client, options) =>
        client.listSandboxes(
          { pageToken, tags: [...tags], state: this.#state, showTerminated },
          options,
        ),
    );
  }
}

function endless(pages: number): TidyboxError {
  return new TidyboxError({
    code: "endless_listing",
    message: `The service's listing does not come to an end: after ${pages} pages a page repeats, or there are still more.`,
    advice: "List by narrower tags.",
  });
}

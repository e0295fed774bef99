import { type Sandbox as SandboxRecord, State } from "@tidybox/protocol";
import { call } from "../connection/call.ts";
import type { Connection } from "../connection/connection.ts";
import { invalidOption } from "../options/invalid-option.ts";
import { checkTags } from "../options/tags.ts";
import { readPages } from "./pages.ts";
import { type SandboxState, toWireState } from "./state.ts";

export interface ListOptions {
  /** All of them must be on a sandbox. */
  readonly tags?: readonly string[] | undefined;
  /** Only this state; a final one finds ended sandboxes without `showTerminated`. */
  readonly status?: SandboxState | undefined;
  /** Ended sandboxes too. Default false. */
  readonly showTerminated?: boolean | undefined;
  /** Only sandboxes with at least one of these registered volumes. Default: any. */
  readonly volumeIds?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a listing finds, page by page as it is read. Can be read more than once, each time anew. */
export class Listing<T> implements AsyncIterable<T> {
  readonly #connection: Connection;
  readonly #options: ListOptions;
  readonly #state: State;
  readonly #wrap: (record: SandboxRecord) => T | undefined;

  /**
   * @param wrap answers undefined for what is to be left out
   * @throws ConfigurationError for a tag or state that cannot be
   */
  constructor(
    connection: Connection,
    options: ListOptions,
    wrap: (record: SandboxRecord) => T | undefined,
  ) {
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
    const records = readPages("sandboxes", this.#options.signal, async (pageToken, signal) => {
      const { sandboxes, nextPageToken } = await this.#page(pageToken, signal);
      return { items: sandboxes, nextPageToken };
    });
    for await (const record of records) {
      const wrapped = this.#wrap(record);
      if (wrapped !== undefined) yield wrapped;
    }
  }

  async toArray(): Promise<T[]> {
    const all: T[] = [];
    for await (const each of this) all.push(each);
    return all;
  }

  #page(pageToken: string, signal: AbortSignal) {
    const { tags = [], showTerminated = false, volumeIds = [] } = this.#options;
    return call(
      this.#connection,
      { action: "list sandboxes" },
      { retry: "passing", signal },
      (client, options) =>
        client.listSandboxes(
          {
            pageToken,
            tags: [...tags],
            state: this.#state,
            showTerminated,
            volumeIds: [...volumeIds],
          },
          options,
        ),
    );
  }
}

import type { FileSystemSnapshot } from "@tidybox/protocol";
import { call } from "../connection/call.ts";
import type { Connection } from "../connection/connection.ts";
import { readPages } from "../sandbox/pages.ts";
import type { Snapshot } from "./snapshot.ts";

export interface SnapshotFilter {
  readonly sourceSandboxId?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What `Snapshot.list` finds, page by page as it is read. Can be read more than once, each time anew. */
export class SnapshotList implements AsyncIterable<Snapshot> {
  readonly #connection: Connection;
  readonly #filter: SnapshotFilter;
  readonly #wrap: (record: FileSystemSnapshot) => Snapshot;

  constructor(
    connection: Connection,
    filter: SnapshotFilter,
    wrap: (record: FileSystemSnapshot) => Snapshot,
  ) {
    this.#connection = connection;
    this.#filter = filter;
    this.#wrap = wrap;
  }

  /** @throws TimeoutError when all pages take longer than 300 s */
  async *[Symbol.asyncIterator](): AsyncGenerator<Snapshot, void, undefined> {
    const { sourceSandboxId, signal: outside } = this.#filter;
    const records = readPages("snapshots", outside, async (pageToken, signal) => {
      const page = await call(
        this.#connection,
        { action: "list snapshots" },
        { retry: "passing", signal },
        (client, options) =>
          client.listFileSystemSnapshots(
            { pageToken, sourceSandboxId: sourceSandboxId ?? "" },
            options,
          ),
      );
      return { items: page.fileSystemSnapshots, nextPageToken: page.nextPageToken };
    });
    for await (const record of records) {
      // The official SDKs never send the filter: a service may not have it.
      if (sourceSandboxId !== undefined && record.sourceSandboxId !== sourceSandboxId) continue;
      yield this.#wrap(record);
    }
  }

  async toArray(): Promise<Snapshot[]> {
    const all: Snapshot[] = [];
    for await (const each of this) all.push(each);
    return all;
  }
}

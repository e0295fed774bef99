import { create } from "@bufbuild/protobuf";
import {
  isTerminal,
  type ListSandboxesRequest,
  type ListSandboxesResponse,
  ListSandboxesResponseSchema,
  State,
} from "@tidybox/protocol";
import { invalidArgument } from "./failures.ts";
import { decodePageToken, encodePageToken } from "./page-token.ts";
import { attachedVolumeIds } from "./resources/registered-volumes.ts";
import type { SandboxRecord } from "./sandbox-record.ts";
import type { SandboxRegistry } from "./sandbox-registry.ts";

const DEFAULT_PAGE_SIZE = 500;
const MAX_PAGE_SIZE = 1000;

/** Well under the 100 MiB of a message: specs carry files. */
const PAGE_BYTES = 32 * 1024 * 1024;

/** One page, oldest sandbox first. All filters must hold. */
export function listSandboxes(
  registry: SandboxRegistry,
  request: ListSandboxesRequest,
): ListSandboxesResponse {
  const after = decodePageToken(request.pageToken);
  if (after === undefined) {
    const description =
      "is not a token of this service; use next_page_token of the page before, as it is";
    throw invalidArgument([{ field: "page_token", description }]);
  }
  if (request.pageSize < 0)
    throw invalidArgument([{ field: "page_size", description: "must not be negative" }]);
  const pageSize = Math.min(request.pageSize || DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE);
  const page: SandboxRecord[] = [];
  let bytes = 0;
  for (const record of registry.all()) {
    if (record.sequence <= after || !matches(record, request)) continue;
    if (page.length === pageSize || (page.length > 0 && bytes + record.sizeBytes > PAGE_BYTES)) {
      return answer(page, encodePageToken(page.at(-1)?.sequence ?? after));
    }
    page.push(record);
    bytes += record.sizeBytes;
  }
  return answer(page, "");
}

export function hasAllTags(record: SandboxRecord, tags: readonly string[]): boolean {
  return tags.every((tag) => record.spec.tags.includes(tag));
}

function matches(record: SandboxRecord, request: ListSandboxesRequest): boolean {
  const anyState = request.state === State.UNSPECIFIED;
  // A terminal state in the filter asks for ended sandboxes, flag or not.
  const wanted = anyState
    ? record.isActive || request.showTerminated
    : record.state === request.state;
  return (
    wanted &&
    (record.isActive || request.showTerminated || isTerminal(request.state)) &&
    hasAllTags(record, request.tags) &&
    (request.runnerIds.length === 0 || request.runnerIds.includes(record.runnerId)) &&
    (request.volumeIds.length === 0 ||
      attachedVolumeIds(record.spec).some((id) => request.volumeIds.includes(id)))
  );
}

function answer(page: readonly SandboxRecord[], nextPageToken: string): ListSandboxesResponse {
  return create(ListSandboxesResponseSchema, {
    sandboxes: page.map((record) => record.view()),
    nextPageToken,
  });
}

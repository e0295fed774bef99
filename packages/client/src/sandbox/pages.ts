import { LIST_TIMEOUT_SECONDS, MAX_LIST_PAGES } from "@tidybox/protocol";
import { Deadline } from "../connection/deadline.ts";
import { TimeoutError } from "../errors/request-errors.ts";
import { TidyboxError } from "../errors/tidybox-error.ts";

/** One page of a listing. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Empty on the last one. */
  readonly nextPageToken: string;
}

/**
 * The items of all pages, each page asked for when it is reached.
 *
 * @param what as in "Listing the `sandboxes` takes longer"
 * @throws TimeoutError when all pages take longer than 300 s
 */
export async function* readPages<T>(
  what: string,
  signal: AbortSignal | undefined,
  ask: (pageToken: string, signal: AbortSignal) => Promise<Page<T>>,
): AsyncGenerator<T, void, undefined> {
  using deadline = new Deadline(
    LIST_TIMEOUT_SECONDS,
    [signal],
    () =>
      new TimeoutError({
        message: `Listing the ${what} takes longer than ${LIST_TIMEOUT_SECONDS} s.`,
      }),
  );
  const seenTokens = new Set<string>();
  for (let pageToken = ""; ;) {
    const page = await ask(pageToken, deadline.signal);
    yield* page.items;
    pageToken = page.nextPageToken;
    if (pageToken === "") return;
    if (seenTokens.has(pageToken) || seenTokens.size >= MAX_LIST_PAGES - 1)
      throw endless(what, seenTokens.size + 1);
    seenTokens.add(pageToken);
  }
}

function endless(what: string, pages: number): TidyboxError {
  return new TidyboxError({
    code: "endless_listing",
    message: `The service's listing of the ${what} does not come to an end: after ${pages} pages a page repeats, or there are still more.`,
    advice: "Narrow what is listed.",
  });
}

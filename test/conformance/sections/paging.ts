import { randomUUID } from "node:crypto";
import { Code } from "@connectrpc/connect";
import { ErrorReason } from "@tidybox/protocol";
import { expect } from "vitest";
import { seededRandom } from "../../../packages/local/src/faults/seeded-random.ts";
import { refusalOf } from "../../../packages/local/src/testing/test-service.ts";
import { type CaseContext, section } from "../contract.ts";
import { idleService } from "../own-service.ts";
import { started } from "../sandboxes.ts";

const DEFAULT_PAGE = 500;
const LARGEST_PAGE = 1000;
const MEBIBYTE = 1024 * 1024;

/** Of the changes between pages; each engine sees the same ones. */
const SEED = 20_261_125;

interface Page {
  readonly ids: readonly string[];
  readonly token: string;
}

interface Listing {
  readonly pageSize: number;
  /** Default true. */
  readonly showTerminated?: boolean;
  /** Done after each page but the last. */
  readonly between?: () => Promise<void>;
}

async function page(
  { bed, tag }: CaseContext,
  { pageSize, showTerminated = true }: Listing,
  pageToken: string,
): Promise<Page> {
  const answer = await bed.sandboxes.listSandboxes({
    tags: [tag],
    showTerminated,
    pageSize,
    pageToken,
  });
  const ids = answer.sandboxes.map(({ sandboxId }) => sandboxId);
  return { ids, token: answer.nextPageToken };
}

/** All pages from the first to the empty token. */
async function allPages(context: CaseContext, listing: Listing): Promise<readonly Page[]> {
  const pages: Page[] = [];
  for (let token = ""; ;) {
    const next = await page(context, listing, token);
    pages.push(next);
    if (next.token === "") return pages;
    token = next.token;
    await listing.between?.();
  }
}

async function make(context: CaseContext, count: number): Promise<readonly string[]> {
  const made: string[] = [];
  while (made.length < count) made.push((await started(context)).sandboxId);
  return made;
}

/** Twenty sandboxes, and what makes some and ends some of them each time; the same for each engine. */
async function changing(own: CaseContext, name: string) {
  const random = seededRandom(SEED, name);
  const whole = (below: number): number => Math.floor(random() * below);
  const all = [...(await make(own, 20))];
  const active = new Set(all);
  const change = async (): Promise<void> => {
    for (let changes = whole(6); changes > 0; changes -= 1) {
      const victim = [...active][whole(active.size)];
      if (victim !== undefined && random() < 0.5) {
        active.delete(victim);
        await own.bed.sandboxes.deleteSandbox({ sandboxId: victim });
      } else {
        for (const fresh of await make(own, 1)) {
          all.push(fresh);
          active.add(fresh);
        }
      }
    }
  };
  return { all, active, whole, change };
}

export const paging = section("3.3", (says) => {
  says(
    "following the tokens finds each sandbox once, and ends with an empty one",
    async (context) => {
      await using own = await idleService(context);
      const made = await make(own, 10);
      for (const pageSize of [1, 3, 5, 10, 11]) {
        const pages = await allPages(own, { pageSize });
        expect(pages.flatMap(({ ids }) => ids)).toEqual(made);
        expect(pages).toHaveLength(Math.ceil(made.length / pageSize));
      }
    },
  );

  says("no token is answered twice in one listing", async (context) => {
    await using own = await idleService(context);
    await make(own, 8);
    const tokens = (await allPages(own, { pageSize: 1 })).map(({ token }) => token);
    expect(new Set(tokens).size).toBe(8);
  });

  says(
    "(our choice) a page has 500 when nothing is said, which 100 pages make 50,000, and at most 1000",
    async (context) => {
      await using own = await idleService(context);
      const made = await Promise.all(Array.from({ length: LARGEST_PAGE + 1 }, () => started(own)));
      const sizes = async (pageSize: number): Promise<readonly number[]> =>
        (await allPages(own, { pageSize })).map(({ ids }) => ids.length);
      expect(await sizes(0)).toEqual([DEFAULT_PAGE, DEFAULT_PAGE, 1]);
      expect(await sizes(made.length)).toEqual([LARGEST_PAGE, 1]);
    },
    { timeoutSeconds: 60 },
  );

  says(
    "(our choice) a page has at most 32 MiB of specs, so that it fits a message",
    async (context) => {
      await using own = await idleService(context);
      const annotations = { large: "x".repeat(11 * MEBIBYTE) };
      for (let count = 0; count < 3; count += 1) await started(own, {}, { annotations });
      const pages = await allPages(own, { pageSize: 0 });
      expect(pages.map(({ ids }) => ids.length)).toEqual([2, 1]);
    },
    { timeoutSeconds: 60 },
  );

  says("pages stay true while sandboxes are made and end in between", async (context) => {
    await using own = await idleService(context);
    const { all, active, whole, change } = await changing(own, "paging all");
    for (let round = 0; round < 3; round += 1) {
      const pages = await allPages(own, { pageSize: 2 + whole(6), between: change });
      // Ended or not, each is there once and in its place; what came while it was listed, too.
      expect(pages.flatMap(({ ids }) => ids)).toEqual(all);
    }
    expect(active.size).toBeLessThan(all.length);
  });

  says(
    "pages of active ones have each that was there all along, once and in order",
    async (context) => {
      await using own = await idleService(context);
      const { all, active, whole, change } = await changing(own, "paging active");
      for (let round = 0; round < 3; round += 1) {
        const before = new Set(active);
        const listing = { pageSize: 2 + whole(6), between: change, showTerminated: false };
        const ids = (await allPages(own, listing)).flatMap((each) => each.ids);
        expect(ids).toEqual(all.filter((id) => ids.includes(id)));
        const stayed = [...before].filter((id) => active.has(id));
        expect(stayed.length).toBeLessThan(before.size);
        expect(ids.filter((id) => stayed.includes(id))).toEqual(stayed);
      }
    },
  );

  says("a token stays good when the sandbox it was made at has ended", async (context) => {
    await using own = await idleService(context);
    const made = await make(own, 4);
    const request = { tags: [own.tag], pageSize: 2 };
    const { nextPageToken: pageToken } = await own.bed.sandboxes.listSandboxes(request);
    for (const sandboxId of made.slice(0, 3)) await own.bed.sandboxes.deleteSandbox({ sandboxId });
    const rest = await own.bed.sandboxes.listSandboxes({ ...request, pageToken });
    expect(rest.sandboxes.map(({ sandboxId }) => sandboxId)).toEqual([made[3]]);
    expect(rest.nextPageToken).toBe("");
  });

  says(
    "(our choice) a token that is none of ours, or a negative size, is INVALID_ARGUMENT",
    async ({ bed }) => {
      const requests = [
        { pageToken: "x" },
        { pageToken: randomUUID() },
        { pageToken: Buffer.from("tidybox-page-1:-1").toString("base64url") },
        { pageSize: -1 },
      ];
      for (const request of requests) {
        const [field = ""] = Object.keys(request);
        expect(await refusalOf(bed.sandboxes.listSandboxes(request))).toMatchObject({
          code: Code.InvalidArgument,
          reason: ErrorReason.INVALID_ARGUMENT,
          message: expect.stringContaining(field === "pageSize" ? "page_size" : "page_token"),
        });
      }
    },
  );
});

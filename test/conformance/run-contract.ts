import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, test } from "vitest";
import { type Bed, type BedName, openBed, whyNotHere } from "./beds.ts";
import type { CaseBody } from "./contract.ts";
import { bedsOf, closeBed } from "./furnishings.ts";
import { closeSharedServices } from "./own-service.ts";
import { sentences } from "./sections/index.ts";

const PURGE_SECONDS = 15;

/** Declares one test for each sentence: that the service keeps it, or says honestly that it cannot. */
export function runContract(name: BedName): void {
  const missing = whyNotHere(name);
  if (missing !== undefined) {
    test(`the contract, against ${name}`, ({ skip }) => skip(missing));
    return;
  }
  let bed: Bed;
  beforeAll(async () => {
    bed = await openBed(name);
  });
  afterAll(async () => {
    try {
      await closeSharedServices();
    } finally {
      await closeBed(bed);
    }
  });
  for (const number of new Set(sentences.map(({ section }) => section))) {
    describe(`${number} ${name}`, () => {
      for (const sentence of sentences.filter(({ section }) => section === number)) {
        const exception = sentence.unless[name];
        const title = exception === undefined ? sentence.says : `cannot: ${exception.cannot}`;
        test(title, { timeout: sentence.timeoutSeconds * 1000 }, () =>
          runCase(bed, exception?.instead ?? sentence.body),
        );
      }
    });
  }
}

async function runCase(bed: Bed, body: CaseBody): Promise<void> {
  const tag = `conformance-${randomUUID()}`;
  try {
    await body({ bed, tag });
  } finally {
    for (const { sandboxes } of await bedsOf(bed))
      await sandboxes.purgeSandboxes({ tags: [tag] }, { timeoutMs: PURGE_SECONDS * 1000 });
  }
}

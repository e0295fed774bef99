import type { TestServiceOptions } from "../../packages/local/src/testing/test-service.ts";
import { openBed } from "./beds.ts";
import type { CaseContext } from "./contract.ts";

/** Sandboxes of a service with it are made and stay CREATING: they cost the machine nothing. */
export const NOTHING_STARTS = { faults: { latency: { start: "60m" } } } as const;

/**
 * Another service with the same engine, for cases that need options of their own or other callers.
 * Closing it fails when it leaves anything behind.
 */
export async function ownService(
  { bed, tag }: CaseContext,
  options: TestServiceOptions,
): Promise<CaseContext & AsyncDisposable> {
  const own = await openBed(bed.name, options);
  return { bed: own, tag, [Symbol.asyncDispose]: () => own.service.close() };
}

import type { TestServiceOptions } from "../../packages/local/src/testing/test-service.ts";
import { type Bed, openBed } from "./beds.ts";
import type { CaseContext } from "./contract.ts";

type OtherService = CaseContext & AsyncDisposable;

const PURGE_MILLISECONDS = 15_000;

/** Sandboxes of it are made and stay CREATING: they cost the machine nothing. */
export const NOTHING_STARTS = { faults: { latency: { start: "60m" } } } as const;

const IDLE: TestServiceOptions = { ...NOTHING_STARTS, volumes: { one: {}, two: {}, three: {} } };

/** How many sandboxes `smallService` takes. */
export const SMALL = 2;

/** Services that the cases of one bed share, by what they are for; opened when they are needed. */
const shared = new Map<string, Promise<Bed>>();

/**
 * Another service with the same engine, for cases that need options of their own. Closing it fails
 * when it leaves anything behind.
 */
export async function ownService(
  { bed, tag }: CaseContext,
  options: TestServiceOptions,
): Promise<OtherService> {
  const own = await openBed(bed.name, options);
  return { bed: own, tag, [Symbol.asyncDispose]: () => own.service.close() };
}

/** Another service on which nothing ever starts; it has the registered volumes one, two and three. */
export function idleService(context: CaseContext): Promise<OtherService> {
  return sharedService(context, "idle", IDLE);
}

/** The same, which takes only so few sandboxes. */
export function smallService(context: CaseContext): Promise<OtherService> {
  return sharedService(context, "small", { ...NOTHING_STARTS, maxSandboxes: SMALL });
}

/** Ends those that the cases of this file have shared. */
export async function closeSharedServices(): Promise<void> {
  const beds = await Promise.all(shared.values());
  shared.clear();
  for (const bed of beds) await bed.service.close();
}

/** What a case has made on it is purged when the case is done with it. */
async function sharedService(
  { bed, tag }: CaseContext,
  purpose: string,
  options: TestServiceOptions,
): Promise<OtherService> {
  let opening = shared.get(purpose);
  if (opening === undefined) {
    opening = openBed(bed.name, options);
    shared.set(purpose, opening);
  }
  const other = await opening;
  const purge = async (): Promise<void> => {
    await other.sandboxes.purgeSandboxes({ tags: [tag] }, { timeoutMs: PURGE_MILLISECONDS });
  };
  return { bed: other, tag, [Symbol.asyncDispose]: purge };
}

import { TidyboxError } from "./tidybox-error.ts";

/** Where the error of a failed start keeps how many were asked for together with it. */
const PROPERTY = "startCounts";

/** Of sandboxes that were asked for together, none of which is left. */
export interface StartCounts {
  readonly asked: number;
  /** Starts that failed by themselves, the first one included. The rest was withdrawn or stopped. */
  readonly failed: number;
}

/**
 * How many sandboxes were asked for together with the one whose error this is, and how many of them
 * could not start: the error's own property `startCounts`, as `session.sandboxes()` sets it. Undefined
 * for every other error.
 */
export function startCountsOf(error: unknown): StartCounts | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const counts: unknown = Reflect.get(error, PROPERTY);
  return isStartCounts(counts) ? counts : undefined;
}

/** Only on an error of ours: what else ends a start is the reason of somebody's own signal. */
export function noteStartCounts(error: unknown, counts: StartCounts): void {
  if (!(error instanceof TidyboxError)) return;
  // Shown with the error by Node and by reporters.
  Reflect.defineProperty(error, PROPERTY, {
    value: counts,
    enumerable: true,
    configurable: true,
    writable: true,
  });
}

function isStartCounts(value: unknown): value is StartCounts {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof Reflect.get(value, "asked") === "number" &&
    typeof Reflect.get(value, "failed") === "number"
  );
}

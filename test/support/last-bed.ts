import { inject } from "vitest";
import type { Bed } from "./bed.ts";

/** The newest Vitest's bed, for tests that run commands and no Vitest. */
export function lastBed(): Bed {
  const bed = inject("beds").at(-1);
  if (bed === undefined) throw new Error("no bed");
  return bed;
}

import type { Sentence } from "../contract.ts";
import { creating } from "./create.ts";
import { lifecycle } from "./lifecycle.ts";

/** In the order of the reference. */
export const sentences: readonly Sentence[] = [...lifecycle, ...creating];

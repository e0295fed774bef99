import type { Sentence } from "../contract.ts";
import { exec } from "./exec.ts";
import { execEnd } from "./exec-end.ts";
import { lifecycle } from "./lifecycle.ts";

/** In the order of the reference. */
export const sentences: readonly Sentence[] = [...lifecycle, ...exec, ...execEnd];

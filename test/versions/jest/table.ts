import { allLaunches, POOLS } from "./cells.ts";
import { SUITES } from "./suites.ts";
import { TRANSPILERS } from "./transpilers.ts";

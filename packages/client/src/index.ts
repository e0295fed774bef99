export const x: number = 1; import type {y} from "./internal.ts"; export type Y = typeof y;

import { constants } from "node:os";
import type { RawEnd } from "./messages.ts";

/** How a process ended, in the terms of a shell. */
export interface ProcessEnd {
  /** 0 to 255; 128 + n after signal n. */
  readonly exitCode: number;
  /** The process that watched over it died: it was killed, or can no longer be observed. */
  readonly lost: boolean;
}

/** After SIGKILL, as a shell reports it. */
export const KILLED_EXIT_CODE = 137;

export function processEnd({ code, signal }: RawEnd): ProcessEnd {
  const exitCode =
    code ?? 128 + (signal === null ? constants.signals.SIGKILL : constants.signals[signal]);
  return { exitCode, lost: false };
}

import {
  MISSING_EXIT_CODE_PAUSE_SECONDS,
  MISSING_EXIT_CODE_POLLS,
  POLL_BACKOFF_FACTOR,
  POLL_INTERVAL_CEILING_SECONDS,
  type Sandbox as SandboxRecord,
  State,
  isTerminal,
} from "@tidybox/protocol";
import { pause } from "../connection/waiting.ts";
import { type Patience, getSandbox } from "./get.ts";
import type { SandboxHandle } from "./handle.ts";

/** A fast service is ready within milliseconds; the official SDKs begin at 0.2 s. */
const FIRST_PAUSE_SECONDS = 0.005;

/** Of the looks after the first one. */
export function* pollPauses(): Generator<number, never> {
  for (let seconds = FIRST_PAUSE_SECONDS; ; seconds *= POLL_BACKOFF_FACTOR)
    yield Math.min(seconds, POLL_INTERVAL_CEILING_SECONDS);
}

/** Looks at once, then less and less often, until the record is as wanted or the signal aborts. */
export async function pollUntil(
  handle: SandboxHandle,
  wanted: (record: SandboxRecord) => boolean,
  signal: AbortSignal,
  patience: Patience = {},
): Promise<SandboxRecord> {
  for (const seconds of pollPauses()) {
    const record = await getSandbox(handle.connection, handle.id, signal, patience);
    handle.see(record);
    if (wanted(record)) return record;
    await pause(seconds, signal);
  }
  throw new Error("unreachable: the pauses have no end");
}

export function recordHasEnded(record: SandboxRecord): boolean {
  return isTerminal(record.status?.state ?? State.UNSPECIFIED);
}

/** The exit code may lag behind COMPLETED (reference 3.1); it is not waited for long. */
export async function awaitExitCode(
  handle: SandboxHandle,
  ended: SandboxRecord,
  signal: AbortSignal,
): Promise<SandboxRecord> {
  let record = ended;
  for (let polls = 0; polls < MISSING_EXIT_CODE_POLLS; polls += 1) {
    if (record.status?.state !== State.COMPLETED || record.status.exitCode !== undefined) break;
    await pause(MISSING_EXIT_CODE_PAUSE_SECONDS, signal);
    record = await getSandbox(handle.connection, handle.id, signal);
    handle.see(record);
  }
  return record;
}

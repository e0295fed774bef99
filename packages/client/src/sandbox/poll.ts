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
import type { UsualTime } from "./usual-time.ts";

/** A fast service is ready within milliseconds; the official SDKs begin at 0.2 s. */
const FIRST_PAUSE_SECONDS = 0.005;
/** From here on no look comes later than by that part of what was waited for: a slot is paid for meanwhile. */
const LATENESS_FROM_SECONDS = 0.1;
const LATENESS = 0.15;
/** Of the usual time: whether it is much quicker by now, shortly before it, then at it … */
const EARLIER = [1 / 16, 1 / 4, 0.88, 1] as const;
/** … and closely until long after. */
const CLOSELY = 0.03;
const LONG_AFTER = 1.5;
/** A look costs both sides about a millisecond. */
const LEAST_PAUSE_SECONDS = 0.005;

/**
 * Of the looks after the first one.
 *
 * @param usualSeconds how long it takes as a rule, where that is known: then few looks find it soon
 */
export function* pollPauses(usualSeconds?: number): Generator<number, never> {
  let elapsed = 0;
  if (usualSeconds !== undefined) {
    for (const part of EARLIER) {
      const step = usualSeconds * part - elapsed;
      if (step < LEAST_PAUSE_SECONDS) continue;
      elapsed += step;
      yield step;
    }
    const closely = Math.max(usualSeconds * CLOSELY, LEAST_PAUSE_SECONDS);
    const step = Math.min(closely, POLL_INTERVAL_CEILING_SECONDS);
    for (; elapsed < usualSeconds * LONG_AFTER; elapsed += step) yield step;
  }
  for (let longest = FIRST_PAUSE_SECONDS; ; longest *= POLL_BACKOFF_FACTOR) {
    const soon = elapsed < LATENESS_FROM_SECONDS ? longest : Math.min(longest, elapsed * LATENESS);
    const step = Math.min(Math.max(soon, LEAST_PAUSE_SECONDS), POLL_INTERVAL_CEILING_SECONDS);
    elapsed += step;
    yield step;
  }
}

export interface PollOptions extends Patience {
  /** Of what is waited for; learns from this wait. Default: nothing is known. */
  readonly usual?: UsualTime | undefined;
}

/**
 * Looks at once (or, where it is known to take longer, when it may be over), then less and less often,
 * until the record is as wanted or the signal aborts.
 */
export async function pollUntil(
  handle: SandboxHandle,
  wanted: (record: SandboxRecord) => boolean,
  signal: AbortSignal,
  { usual, ...patience }: PollOptions = {},
): Promise<SandboxRecord> {
  const startedAt = performance.now();
  const usualSeconds = usual?.seconds;
  const isQuick = usualSeconds === undefined || usualSeconds < LEAST_PAUSE_SECONDS;
  let isFirst = true;
  let notYetAt = startedAt;
  for (const seconds of pollPauses(usualSeconds)) {
    if (isQuick || !isFirst) {
      const record = await getSandbox(handle.connection, handle.id, signal, patience);
      handle.see(record);
      if (wanted(record)) {
        // Between the last two looks: what is seen at once may have been there for long.
        usual?.saw(((notYetAt + performance.now()) / 2 - startedAt) / 1000);
        return record;
      }
      notYetAt = performance.now();
    }
    isFirst = false;
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

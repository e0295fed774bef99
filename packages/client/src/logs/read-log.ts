import {
  LOG_RESUME_ATTEMPTS,
  LOG_RESUME_PAUSE_CEILING_SECONDS,
  LOG_RESUME_PAUSE_SECONDS,
  type LogEntry,
  LogStreamErrorCode,
  RETRY_HINT_CEILING_SECONDS,
} from "@tidybox/protocol";
import { pause } from "../connection/waiting.ts";
import type { SandboxHandle } from "../sandbox/handle.ts";
import { DeliveredBytes } from "./delivered-bytes.ts";
import { callFailure, interrupted, type LogFailure, streamFailure } from "./log-failure.ts";
import type { LogWindow } from "./options.ts";

/** Where another stream can go on. */
interface Cursor {
  readonly sessionId: string;
  /** What the session has sent. */
  readonly offset: bigint;
}

/**
 * The bytes of a log, each of them once, over as many streams as it takes (reference 3.8): a broken
 * one is resumed where it was. Where the service has lost the session, the log is read from its
 * beginning again, and goes on when that has proved to be the same.
 *
 * @throws LogInterruptedError when it had begun and cannot be read on without a gap
 * @throws SandboxClosedError when the sandbox is stopping or has ended; the signal's reason
 */
export async function* readLog(
  handle: SandboxHandle,
  window: LogWindow,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const delivered = new DeliveredBytes();
  let cursor: Cursor | undefined;
  let failures = 0;
  for (;;) {
    let failure: LogFailure | undefined;
    try {
      for await (const entry of entriesOf(handle, window, cursor, signal)) {
        if (entry.error !== undefined) {
          failure = streamFailure(handle, entry.error.code, entry.error.message);
          break;
        }
        cursor = advance(handle, cursor, entry, delivered.count);
        const fresh = delivered.take(entry.data);
        if (fresh === undefined) throw interrupted(handle, delivered.count, CHANGED);
        if (fresh.byteLength === 0) continue;
        failures = 0;
        yield fresh;
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      failure = callFailure(handle, error);
    }
    if (failure === undefined) {
      if (delivered.replaying) throw interrupted(handle, delivered.count, CHANGED);
      return;
    }
    const { error } = failure;
    if (!canMend(failure, window, delivered) || failures >= LOG_RESUME_ATTEMPTS) {
      if (delivered.count === 0 || error.code === "log_interrupted") throw error;
      throw interrupted(handle, delivered.count, error.message, error);
    }
    const seconds = Math.min(
      LOG_RESUME_PAUSE_SECONDS * 2 ** failures,
      LOG_RESUME_PAUSE_CEILING_SECONDS,
    );
    failures += 1;
    await pause(Math.min(error.retryDelaySeconds ?? seconds, RETRY_HINT_CEILING_SECONDS), signal);
    // Only a stream that follows can be resumed; the session of another one has all the same.
    if (failure.mend === "resume" && window.follow && cursor !== undefined) continue;
    cursor = undefined;
    delivered.replay();
  }
}

const CHANGED = "the service has lost the session, and what it has now does not begin the same";

function canMend(
  { mend, error }: LogFailure,
  { follow, tailLines }: LogWindow,
  delivered: DeliveredBytes,
): boolean {
  if (mend === "nothing") return false;
  if (delivered.count === 0 || (mend === "resume" && follow)) return true;
  // What is gone cannot come again; and the last lines of today are not those of yesterday.
  return error.reason !== LogStreamErrorCode.REPLAY_GAP && tailLines === 0;
}

async function* entriesOf(
  { connection, id }: SandboxHandle,
  { container, follow, tailLines, sinceTime, timestamps }: LogWindow,
  cursor: Cursor | undefined,
  signal: AbortSignal,
): AsyncGenerator<LogEntry> {
  const left = new AbortController();
  const request =
    cursor === undefined
      ? { sandboxId: id, container, follow, tailLines, timestamps, ...(sinceTime && { sinceTime }) }
      : {
          sandboxId: id,
          container,
          follow: true,
          resumeLogSessionId: cursor.sessionId,
          resumeLogOffset: cursor.offset,
        };
  try {
    const options = { signal: AbortSignal.any([signal, left.signal]) };
    for await (const entry of connection.client.streamLogs(request, options)) {
      connection.noteAnswer();
      yield entry;
    }
  } finally {
    left.abort(new Error("the log is no longer read"));
  }
}

/** @throws LogInterruptedError when the offsets show that bytes are missing, or came twice */
function advance(
  handle: SandboxHandle,
  cursor: Cursor | undefined,
  { data, logSessionId, nextLogOffset }: LogEntry,
  deliveredBytes: number,
): Cursor | undefined {
  // A service without sessions: what breaks is read anew, and must prove to be the same.
  if (logSessionId === "") return undefined;
  const expected = (cursor?.offset ?? 0n) + BigInt(data.byteLength);
  if (nextLogOffset === expected) return { sessionId: logSessionId, offset: nextLogOffset };
  const why = `the service is at byte ${nextLogOffset} of the session, not at ${expected}`;
  throw interrupted(handle, deliveredBytes, why);
}

import { create } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import {
  type LogEntry,
  LogEntrySchema,
  LogStreamErrorCode,
  State,
  type StreamLogsRequest,
} from "@tidybox/protocol";
import { invalidArgument, sandboxNotRunning, type Violation } from "../failures.ts";
import { stateName } from "../lifecycle.ts";
import type { Sandboxes } from "../sandboxes.ts";
import { PLAIN, startOfWindow, WITH_TIMESTAMPS } from "./log-format.ts";
import type { LogReader } from "./log-readers.ts";
import type { LogSession, LogSessions } from "./log-sessions.ts";

/** A connection that keeps breaking must last for one message, or its reader never gets on. */
const ENTRY_BYTES = 32 * 1024;

/**
 * The output of a sandbox's main process (reference 3.8). Nobody can begin to read when the sandbox
 * is TERMINATING or has ended. Who has begun before may read to the end, and that includes a
 * session that is resumed: it is held for a while, whatever becomes of its sandbox.
 */
export async function* streamLogs(
  sandboxes: Sandboxes,
  sessions: LogSessions,
  request: StreamLogsRequest,
  context: HandlerContext,
): AsyncGenerator<LogEntry> {
  checkRequest(request);
  const session =
    request.resumeLogSessionId === ""
      ? begin(sandboxes, sessions, request)
      : resume(sandboxes, sessions, request);
  if (session === undefined) {
    const message = `there is no log session ${JSON.stringify(request.resumeLogSessionId)}: it was left too long ago, or is another sandbox's`;
    yield failed(LogStreamErrorCode.SESSION_NOT_FOUND, message, request);
    return;
  }
  const reader = session.log.readers.join(session.log.end);
  try {
    yield* send(session, reader, request, context.signal);
  } finally {
    reader.leave();
    sessions.leave(session);
  }
}

function begin(
  sandboxes: Sandboxes,
  sessions: LogSessions,
  { sandboxId, container, tailLines, sinceTime, timestamps }: StreamLogsRequest,
): LogSession {
  const record = sandboxes.get(sandboxId);
  sandboxes.checkContainer(record, container);
  const log = record.state === State.TERMINATING ? undefined : record.logOf(container);
  if (log === undefined) throw sandboxNotRunning(sandboxId, stateName(record.state));
  const window = { tailLines, sinceTime: sinceTime === undefined ? 0 : timestampMs(sinceTime) };
  return sessions.open({
    sandboxId,
    log,
    format: timestamps ? WITH_TIMESTAMPS : PLAIN,
    start: startOfWindow(log, window),
  });
}

function resume(
  sandboxes: Sandboxes,
  sessions: LogSessions,
  { sandboxId, container, resumeLogSessionId }: StreamLogsRequest,
): LogSession | undefined {
  const record = sandboxes.get(sandboxId);
  sandboxes.checkContainer(record, container);
  const session = sessions.resume(resumeLogSessionId, sandboxId);
  if (session === undefined && (record.state === State.TERMINATING || !record.isActive)) {
    throw sandboxNotRunning(sandboxId, stateName(record.state));
  }
  return session;
}

async function* send(
  session: LogSession,
  reader: LogReader,
  { follow, resumeLogSessionId, resumeLogOffset }: StreamLogsRequest,
  signal: AbortSignal,
): AsyncGenerator<LogEntry> {
  const { log, format, start } = session;
  if (resumeLogOffset > BigInt(session.sentBytes)) {
    const message = `resume_log_offset ${resumeLogOffset} is beyond the ${session.sentBytes} bytes that this session has sent`;
    yield failed(LogStreamErrorCode.INVALID_RESUME_OFFSET, message, session);
    return;
  }
  let sentBytes = Number(resumeLogOffset);
  let position = format.positionAt(log, start, sentBytes);
  let lost: string = LogStreamErrorCode.STREAM_TRUNCATED;
  if (resumeLogSessionId !== "") lost = LogStreamErrorCode.REPLAY_GAP;
  // Without `follow`, what is there now: not what is written while it is sent.
  const until = follow ? Number.POSITIVE_INFINITY : log.end;
  while (!signal.aborted) {
    if (position.offset < log.retainedStart) {
      const message = `${log.retainedStart - position.offset} bytes of the log are gone: more was written than is kept before they were read`;
      yield failed(lost, message, session, sentBytes);
      return;
    }
    reader.moveTo(position.offset);
    const seenEnd = log.end;
    const next = format.render(log, position, { maxBytes: ENTRY_BYTES, until });
    if (next.data.length > 0) {
      position = next.position;
      sentBytes += next.data.length;
      session.sentBytes = Math.max(session.sentBytes, sentBytes);
      lost = LogStreamErrorCode.STREAM_TRUNCATED;
      yield create(LogEntrySchema, {
        data: next.data,
        timestamp: timestampFromMs(next.time),
        logSessionId: session.id,
        nextLogOffset: BigInt(sentBytes),
      });
    } else if (!follow || log.closed) {
      return;
    } else {
      await log.change(seenEnd, signal);
    }
  }
}

/** In the stream, because clients decide by the code, and have their answer's end in order. */
function failed(
  code: string,
  message: string,
  session: Pick<LogSession, "id"> | StreamLogsRequest,
  sentBytes = 0,
): LogEntry {
  return create(LogEntrySchema, {
    logSessionId: "id" in session ? session.id : session.resumeLogSessionId,
    nextLogOffset: "id" in session ? BigInt(sentBytes) : session.resumeLogOffset,
    error: { code, message },
  });
}

function checkRequest(request: StreamLogsRequest): void {
  const found: Violation[] = [];
  const refuse = (wrong: boolean, field: string, description: string): void => {
    if (wrong) found.push({ field, description });
  };
  refuse(request.tailLines < 0, "tail_lines", "must not be negative");
  if (request.resumeLogSessionId === "") {
    const description = "needs resume_log_session_id";
    refuse(request.resumeLogOffset > 0n, "resume_log_offset", description);
  } else {
    const description = "must not be set on resume: the stream goes on as it began";
    refuse(!request.follow, "follow", "must be set on resume");
    refuse(request.tailLines > 0, "tail_lines", description);
    refuse(request.sinceTime !== undefined, "since_time", description);
    refuse(request.timestamps, "timestamps", description);
  }
  if (found.length > 0) throw invalidArgument(found);
}

import type { LineLog } from "./line-log.ts";
import { firstFrom } from "./line-log.ts";

/** `2026-01-31T12:00:00.000Z ` has one length always: offsets can be reckoned, and need no table. */
const PREFIX_BYTES = 25;

/** Where a stream of a log began. */
export interface LogStart {
  readonly offset: number;
  /** The line that the byte at `offset` belongs to, or will. */
  readonly line: number;
}

/** How far a stream of a log is. */
export interface LogPosition {
  /** In the log, of the next byte. */
  readonly offset: number;
  readonly line: number;
  /** Of the line's prefix, what has been sent of it. */
  readonly prefixSent: number;
}

export interface LogWindow {
  /** 0: all. */
  readonly tailLines: number;
  /** Milliseconds since the epoch; 0: all. */
  readonly sinceTime: number;
}

/** Where to begin, at a line's first byte where there is one. */
export function startOfWindow(log: LineLog, { tailLines, sinceTime }: LogWindow): LogStart {
  // Of a very long line the beginning may be gone.
  const oldest =
    log.firstWholeLine === log.lineCount && log.midLine ? log.lineCount - 1 : log.firstWholeLine;
  const least = Math.max(oldest, tailLines === 0 ? 0 : log.lineCount - tailLines);
  const line = sinceTime === 0 ? least : log.lineSince(sinceTime, least);
  if (line >= log.lineCount) {
    return { offset: log.end, line: log.midLine ? log.lineCount - 1 : log.lineCount };
  }
  return { offset: line < log.firstWholeLine ? log.retainedStart : log.startOf(line), line };
}

/** What is sent of a log: its bytes as they are, or each line with its time in front. */
export interface LogFormat {
  /** The place after so many sent bytes; it may lie before all that is still there. */
  positionAt(log: LineLog, start: LogStart, sentBytes: number): LogPosition;
  /** The next bytes to send, about so many, and how far that is. Empty at `until` and at the end. */
  render(
    log: LineLog,
    position: LogPosition,
    limits: { readonly maxBytes: number; readonly until: number },
  ): { readonly data: Buffer; readonly position: LogPosition; readonly time: number };
}

export const PLAIN: LogFormat = {
  positionAt: (_log, { offset, line }, sentBytes) => ({
    offset: offset + sentBytes,
    line,
    prefixSent: 0,
  }),
  render: (log, position, { maxBytes, until }) => {
    const data = log.read(position.offset, Math.min(maxBytes, until - position.offset));
    const line = lineOf(log, position);
    const next = { ...position, line, offset: position.offset + data.length };
    return { data, position: next, time: log.timeOf(line) };
  },
};

export const WITH_TIMESTAMPS: LogFormat = {
  positionAt: (log, start, sentBytes) => {
    /** Bytes sent before a line that is there from its first byte on. */
    const sentBefore = (line: number): number =>
      log.startOf(line) - start.offset + (line - start.line) * PREFIX_BYTES;
    const least = Math.max(start.line, log.firstWholeLine - 1);
    const line = firstFrom(least + 1, log.lineCount, (each) => sentBefore(each) > sentBytes) - 1;
    const begin = line >= log.firstWholeLine && line > start.line ? log.startOf(line) : undefined;
    const prefixes = (line - start.line + 1) * PREFIX_BYTES;
    const offset = start.offset + sentBytes - prefixes;
    const lineBegin = begin ?? (line === start.line ? start.offset : offset);
    if (offset >= lineBegin) return { offset, line, prefixSent: PREFIX_BYTES };
    return { offset: lineBegin, line, prefixSent: PREFIX_BYTES - (lineBegin - offset) };
  },
  render: (log, from, { maxBytes, until }) => {
    const parts: Buffer[] = [];
    let { offset, line, prefixSent } = from;
    let size = 0;
    let time: number | undefined;
    const end = Math.min(log.end, until);
    while (offset < end && size < maxBytes) {
      const next = line + 1 < log.lineCount ? log.startOf(line + 1) : log.end;
      if (offset === next) {
        line += 1;
        prefixSent = 0;
        continue;
      }
      time ??= log.timeOf(line);
      if (prefixSent < PREFIX_BYTES) {
        const prefix = `${new Date(log.timeOf(line)).toISOString()} `;
        parts.push(Buffer.from(prefix.slice(prefixSent), "latin1"));
        size += PREFIX_BYTES - prefixSent;
        prefixSent = PREFIX_BYTES;
      }
      const part = log.read(offset, Math.min(next - offset, end - offset, maxBytes));
      parts.push(part);
      size += part.length;
      offset += part.length;
    }
    return {
      data: Buffer.concat(parts),
      position: { offset, line, prefixSent },
      time: time ?? log.timeOf(line),
    };
  },
};

/** The line of the byte at a position, counted on from the one before: lines only go up. */
function lineOf(log: LineLog, { offset, line }: LogPosition): number {
  const least = Math.max(line, log.firstWholeLine - 1);
  return Math.max(
    line,
    firstFrom(least + 1, log.lineCount, (each) => log.startOf(each) > offset) - 1,
  );
}

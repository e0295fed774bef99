import { randomUUID } from "node:crypto";
import type { LineLog } from "./line-log.ts";
import type { LogFormat, LogStart } from "./log-format.ts";

/** For a client whose connection broke: several times what any waits before it comes back. */
const HELD_SECONDS = 60;

/** Of sessions that nobody reads at the moment. */
const MAX_HELD = 1000;

/** What a client reads of one log, over one stream after the other. */
export interface LogSession {
  readonly id: string;
  readonly sandboxId: string;
  readonly log: LineLog;
  readonly format: LogFormat;
  readonly start: LogStart;
  /** Most that any of its streams has sent. */
  sentBytes: number;
}

interface Held {
  readonly session: LogSession;
  streams: number;
  timer: NodeJS.Timeout | undefined;
}

/** Sessions that can be resumed: those with a stream, and for a while those without. */
export class LogSessions {
  readonly #held = new Map<string, Held>();
  readonly #idle = new Set<Held>();

  /** A new one; its first stream has begun. */
  open(parts: Omit<LogSession, "id" | "sentBytes">): LogSession {
    const session = { ...parts, id: `log-${randomUUID()}`, sentBytes: 0 };
    session.log.use();
    this.#held.set(session.id, { session, streams: 1, timer: undefined });
    return session;
  }

  /** Another stream of a session; undefined when there is none of this sandbox. */
  resume(id: string, sandboxId: string): LogSession | undefined {
    const held = this.#held.get(id);
    if (held === undefined || held.session.sandboxId !== sandboxId) return undefined;
    clearTimeout(held.timer);
    this.#idle.delete(held);
    held.streams += 1;
    return held.session;
  }

  /** A stream of it has ended, in whatever way. */
  leave({ id }: LogSession): void {
    const held = this.#held.get(id);
    if (held === undefined) return;
    held.streams -= 1;
    if (held.streams > 0) return;
    this.#idle.add(held);
    held.timer = setTimeout(() => this.#forget(held), HELD_SECONDS * 1000).unref();
    const [oldest] = this.#idle;
    if (this.#idle.size > MAX_HELD && oldest !== undefined) this.#forget(oldest);
  }

  #forget(held: Held): void {
    clearTimeout(held.timer);
    this.#idle.delete(held);
    this.#held.delete(held.session.id);
    held.session.log.release();
  }
}

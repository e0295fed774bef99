import { thenCleanUp } from "../errors/first-error.ts";
import { invalidOption } from "../options/invalid-option.ts";
import { reportLeft } from "../sandbox/cleanup-report.ts";
import type { SessionOptions } from "./session-options.ts";
import { Session } from "./session.ts";

/** What is done in a session that closes afterwards. */
export type SessionBody<T> = (session: Session) => T | PromiseLike<T>;

/**
 * `await using` for older syntax: opens a session, gives it to the body, closes it, and answers what
 * the body did. An error of the body is thrown whatever the close does: what that could not clean up
 * is in the error's `cleanupErrors` (see {@link cleanupErrorsOf}).
 *
 * @throws what the body throws
 * @throws CleanupError when only the close fails
 */
export function withSession<T>(body: SessionBody<T>): Promise<T>;
export function withSession<T>(options: SessionOptions, body: SessionBody<T>): Promise<T>;
export async function withSession<T>(
  ...args: readonly [SessionBody<T>] | readonly [SessionOptions, SessionBody<T>]
): Promise<T> {
  const [options, body] = args.length === 1 ? [{}, args[0]] : args;
  if (typeof body !== "function")
    throw invalidOption("body", "must be a function, the last argument");
  const session = new Session(options);
  return thenCleanUp(
    () => body(session),
    () => session.close(),
    ({ failures }) => reportLeft(failures),
  );
}

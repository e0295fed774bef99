import { Code, ConnectError } from "@connectrpc/connect";
import { LogStreamErrorCode } from "@tidybox/protocol";
import { isTlsProblem } from "../errors/connect-failure.ts";
import { toTidyboxError } from "../errors/from-connect.ts";
import { LogInterruptedError } from "../errors/log-errors.ts";
import { AuthenticationError, NotFoundError, UnavailableError } from "../errors/request-errors.ts";
import { SandboxClosedError } from "../errors/sandbox-errors.ts";
import { TidyboxError } from "../errors/tidybox-error.ts";
import type { SandboxHandle } from "../sandbox/handle.ts";

const ACTION = "read the log";

/**
 * A stream of a log that broke, and what may mend it (reference 3.8).
 *
 * - `resume`: the session goes on at its offset
 * - `afresh`: the session is gone; another one may have all of the log again
 * - `nothing`: another try ends the same way
 */
export interface LogFailure {
  readonly mend: "resume" | "afresh" | "nothing";
  readonly error: TidyboxError;
}

/** Of a call that failed. */
export function callFailure({ connection, id }: SandboxHandle, cause: unknown): LogFailure {
  const context = { action: ACTION, address: connection.baseUrl, sandboxId: id };
  const error = toTidyboxError(cause, context);
  if (error instanceof SandboxClosedError) return { mend: "nothing", error: notReadable(error) };
  const passes =
    error instanceof UnavailableError ||
    (error.code === "service_error" &&
      cause instanceof ConnectError &&
      (cause.code === Code.Internal || cause.code === Code.Unknown));
  return { mend: passes && !isTlsProblem(cause) ? "resume" : "nothing", error };
}

/** The reference has it so that the log of such a sandbox is refused. */
function notReadable(error: SandboxClosedError): SandboxClosedError {
  const { message, sandboxId, reason, cause } = error;
  return new SandboxClosedError({
    message,
    advice:
      "The service gives out no log of a sandbox that is stopping or has ended: begin to follow it while it runs.",
    sandboxId,
    reason,
    cause,
  });
}

/** Of an error that came as the last entry of the stream. */
export function streamFailure(
  { id: sandboxId }: SandboxHandle,
  code: string,
  text: string,
): LogFailure {
  const options = {
    message: `Could not ${ACTION} (sandbox ${sandboxId}): ${text === "" ? code : text}`,
    reason: code,
    sandboxId,
  };
  switch (code) {
    case LogStreamErrorCode.STREAM_INTERRUPTED:
      return { mend: "resume", error: new UnavailableError(options) };
    case LogStreamErrorCode.SESSION_NOT_FOUND:
    case LogStreamErrorCode.REPLAY_GAP:
    case LogStreamErrorCode.RUNNER_UNAVAILABLE:
    case LogStreamErrorCode.RUNNER_DRAINING:
      return { mend: "afresh", error: new UnavailableError(options) };
    case LogStreamErrorCode.SANDBOX_NOT_FOUND:
      return { mend: "nothing", error: new NotFoundError(options) };
    case LogStreamErrorCode.PERMISSION_DENIED:
      return { mend: "nothing", error: new AuthenticationError(options) };
    default:
      return { mend: "nothing", error: new TidyboxError({ ...options, code: "service_error" }) };
  }
}

/** For a reader that already has some of the log, and would otherwise take it for all. */
export function interrupted(
  { id: sandboxId }: SandboxHandle,
  deliveredBytes: number,
  why: string,
  cause?: TidyboxError,
): LogInterruptedError {
  const words = why.split("\n")[0]?.replace(/[.\s]+$/, "") ?? "";
  return new LogInterruptedError({
    message: `The log of sandbox ${sandboxId} broke off after ${deliveredBytes} bytes, and cannot be read on without a gap: ${words}.`,
    advice: "A new logs() call reads what the service still has; some of it may be known already.",
    reason: cause?.reason,
    sandboxId,
    deliveredBytes,
    cause,
  });
}

import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ERROR_DOMAIN,
  ErrorInfoSchema,
  ErrorReason,
  RetryInfoSchema,
} from "@tidybox/protocol";

type Details = NonNullable<ConstructorParameters<typeof ConnectError>[3]>;

/** One thing wrong with a request: the field's path and what is wrong with it. */
export interface Violation {
  readonly field: string;
  readonly description: string;
}

/** Notes a violation unless it is valid. */
export type Check = (valid: boolean, field: string, description: string) => void;

export interface FailureOptions {
  /** The fields that it is about. */
  readonly violations?: readonly Violation[];
  readonly metadata?: Readonly<Record<string, string>>;
  readonly retryAfterSeconds?: number;
  readonly cause?: unknown;
}

/**
 * An error travels in the trailers of its call, and repeats what a client has sent: an id, a path.
 * Trailers beyond 64 KiB cannot be sent, and take the whole connection with them; clients refuse
 * those beyond 8 KiB or so, and then never learn what was wrong.
 */
const MAX_MESSAGE_BYTES = 1000;
const MAX_METADATA_BYTES = 1000;
const MAX_FIELD_BYTES = 100;
const MAX_DESCRIPTION_BYTES = 250;
const MAX_VIOLATIONS = 8;

/** An error as the service sends it: gRPC code, words, and a reason that clients decide by. */
export function failure(
  code: Code,
  reason: ErrorReason,
  message: string,
  options: FailureOptions = {},
): ConnectError {
  const metadata = Object.fromEntries(
    Object.entries(options.metadata ?? {}).map(([key, value]) => [
      key,
      shortened(value, MAX_METADATA_BYTES),
    ]),
  );
  const info = { reason, domain: ERROR_DOMAIN, metadata };
  const details: Details = [{ desc: ErrorInfoSchema, value: info }];
  if (options.retryAfterSeconds !== undefined) {
    const seconds = Math.floor(options.retryAfterSeconds);
    const nanos = Math.round((options.retryAfterSeconds - seconds) * 1e9);
    details.push({
      desc: RetryInfoSchema,
      value: { retryDelay: { seconds: BigInt(seconds), nanos } },
    });
  }
  if (options.violations !== undefined && options.violations.length > 0) {
    const fieldViolations = options.violations.slice(0, MAX_VIOLATIONS).map((violation) => ({
      field: shortened(violation.field, MAX_FIELD_BYTES),
      description: shortened(violation.description, MAX_DESCRIPTION_BYTES),
    }));
    details.push({ desc: BadRequestSchema, value: { fieldViolations } });
  }
  const words = shortened(message, MAX_MESSAGE_BYTES);
  return new ConnectError(words, code, undefined, details, options.cause);
}

/** What an aborted call ends with: its deadline, or that its caller has gone. Never "internal". */
export function givenUp(signal: AbortSignal): ConnectError {
  return ConnectError.from(signal.reason, Code.Canceled);
}

/** All of them, or the first few of many. */
export function invalidArgument(violations: readonly Violation[]): ConnectError {
  const told = violations.slice(0, MAX_VIOLATIONS);
  const words = told.map(({ field, description }) => `${field}: ${description}`);
  const more = violations.length - told.length;
  if (more > 0) words.push(`and ${more} more`);
  const reason = ErrorReason.INVALID_ARGUMENT;
  return failure(Code.InvalidArgument, reason, words.join("; "), { violations });
}

export function notImplemented(
  message: string,
  violations: readonly Violation[] = [],
): ConnectError {
  return failure(Code.Unimplemented, ErrorReason.NOT_IMPLEMENTED, message, { violations });
}

/** What no machine here has: another placement may. */
export function noSuitableRunner(
  message: string,
  violations: readonly Violation[] = [],
): ConnectError {
  return failure(Code.FailedPrecondition, ErrorReason.NO_SUITABLE_RUNNER, message, { violations });
}

export function sandboxNotFound(sandboxId: string): ConnectError {
  return failure(
    Code.NotFound,
    ErrorReason.SANDBOX_NOT_FOUND,
    `there is no sandbox ${JSON.stringify(sandboxId)}: the id is wrong, it ended long ago, or another service made it`,
  );
}

export function containerNotRunning(sandboxId: string, container: string): ConnectError {
  return failure(
    Code.FailedPrecondition,
    ErrorReason.SANDBOX_NOT_RUNNING,
    `container ${container} of sandbox ${sandboxId} is not running: it has ended`,
  );
}

export function sandboxNotRunning(sandboxId: string, state: string): ConnectError {
  return failure(
    Code.FailedPrecondition,
    ErrorReason.SANDBOX_NOT_RUNNING,
    `sandbox ${sandboxId} is not running: it is ${state}`,
  );
}

/** At most so many bytes of UTF-8 (default: of a message), with a mark where the rest is missing. */
export function shortened(text: string, maxBytes: number = MAX_MESSAGE_BYTES): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  // A character that the cut has halved is left out.
  return `${bytes.toString("utf8", 0, maxBytes).replace(/\uFFFD+$/, "")}… (${bytes.length} bytes)`;
}

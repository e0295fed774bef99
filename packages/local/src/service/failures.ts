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

/** An error as the service sends it: gRPC code, words, and a reason that clients decide by. */
export function failure(
  code: Code,
  reason: ErrorReason,
  message: string,
  options: FailureOptions = {},
): ConnectError {
  const info = { reason, domain: ERROR_DOMAIN, metadata: { ...options.metadata } };
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
    const fieldViolations = options.violations.map(({ field, description }) => ({
      field,
      description,
    }));
    details.push({ desc: BadRequestSchema, value: { fieldViolations } });
  }
  return new ConnectError(message, code, undefined, details, options.cause);
}

export function invalidArgument(violations: readonly Violation[]): ConnectError {
  const message = violations.map(({ field, description }) => `${field}: ${description}`).join("; ");
  return failure(Code.InvalidArgument, ErrorReason.INVALID_ARGUMENT, message, { violations });
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

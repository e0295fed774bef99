import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  DEFAULT_BASE_URL,
  ERROR_DOMAIN,
  ErrorInfoSchema,
  ErrorReason,
  FileErrorMetadata,
  RetryInfoSchema,
} from "@tidybox/protocol";
import { CommandTimeoutError } from "./command-errors.ts";
import { connectionProblem, isConnectionLost, isTlsProblem } from "./connect-failure.ts";
import {
  AuthenticationError,
  NotFoundError,
  QuotaError,
  TimeoutError,
  UnavailableError,
} from "./request-errors.ts";
import { isLoopback } from "../connection/address.ts";
import { FileError, SandboxClosedError } from "./sandbox-errors.ts";
import { hideSecrets, withoutSecrets } from "./secrets.ts";
import { type FieldViolation, TidyboxError, type TidyboxErrorOptions } from "./tidybox-error.ts";

/** What was being done, for the message. */
export interface CallContext {
  /** As in "could not `create a sandbox`". */
  readonly action: string;
  /** Base URL of the service. */
  readonly address: string;
  readonly sandboxId?: string | undefined;
  readonly path?: string | undefined;
  /** Tries so far, this one included. Default 1. */
  readonly attempts?: number | undefined;
  /** What must not be in the error, wherever the service may have put it. */
  readonly secrets?: readonly string[] | undefined;
}

/**
 * The one place that turns a failed call into an error of ours. A reason of the service's own domain
 * decides; where it is unknown or somebody else's, the gRPC code does (reference 5.1 to 5.3).
 */
export function toTidyboxError(error: unknown, context: CallContext): TidyboxError {
  if (error instanceof TidyboxError) return error;
  if (error instanceof ConnectError && error.cause instanceof TidyboxError) return error.cause;
  const secrets = context.secrets ?? [];
  if (!(error instanceof ConnectError)) {
    withoutSecrets(error, secrets);
    const text = error instanceof Error ? error.message : hideSecrets(String(error), secrets);
    return new TidyboxError({
      code: "internal_error",
      message: `Could not ${context.action}: ${text}`,
      attempts: context.attempts ?? 1,
      cause: error,
    });
  }
  const details = detailsOf(error, (text) => hideSecrets(text, secrets));
  // After its details were read: those that hold a secret are gone then.
  withoutSecrets(error, secrets);
  const options: Omit<TidyboxErrorOptions, "code"> = {
    message: messageOf(error, context, details.violations),
    reason: details.reason,
    metadata: details.metadata,
    retryDelaySeconds: details.retryDelaySeconds,
    sandboxId: context.sandboxId,
    fieldViolations: details.violations,
    attempts: context.attempts ?? 1,
    cause: error,
  };
  const byReason = details.trusted ? fromReason(details.reason, options, context) : undefined;
  return byReason ?? fromCode(error, options, context);
}

interface Details {
  readonly reason: string | undefined;
  readonly trusted: boolean;
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryDelaySeconds: number | undefined;
  readonly violations: readonly FieldViolation[];
}

/** The first detail of each kind with content wins. */
function detailsOf(error: ConnectError, clean: (text: string) => string): Details {
  const info = error.findDetails(ErrorInfoSchema).find(({ reason }) => reason !== "");
  const delay = error
    .findDetails(RetryInfoSchema)
    .find(({ retryDelay }) => retryDelay !== undefined)?.retryDelay;
  const seconds = delay === undefined ? 0 : Number(delay.seconds) + delay.nanos / 1e9;
  return {
    reason: info?.reason,
    trusted: info?.domain === ERROR_DOMAIN,
    metadata: Object.fromEntries(
      Object.entries(info?.metadata ?? {}).map(([key, value]) => [key, clean(value)]),
    ),
    retryDelaySeconds: seconds > 0 ? seconds : undefined,
    violations: error
      .findDetails(BadRequestSchema)
      .flatMap(({ fieldViolations }) => fieldViolations)
      .map(({ field, description }) => ({ field, description: clean(description) })),
  };
}

function messageOf(
  error: ConnectError,
  context: CallContext,
  violations: readonly FieldViolation[],
): string {
  const words = violations
    .map(({ field, description }) => `${field}: ${description}`)
    // Some services say it in their message, too.
    .filter((text) => !error.rawMessage.includes(text));
  const said = [error.rawMessage, ...words].filter((text) => text !== "").join("; ");
  return `Could not ${whatFailed(context)}: ${said === "" ? Code[error.code] : said}`;
}

function whatFailed({ action, sandboxId, attempts = 1 }: CallContext): string {
  const where = sandboxId === undefined ? "" : ` (sandbox ${sandboxId})`;
  return `${action}${where}${attempts > 1 ? ` in ${attempts} tries` : ""}`;
}

function fromReason(
  reason: string | undefined,
  options: Omit<TidyboxErrorOptions, "code">,
  context: CallContext,
): TidyboxError | undefined {
  switch (reason) {
    case ErrorReason.SANDBOX_NOT_FOUND:
    case ErrorReason.FSS_NOT_FOUND:
      return new NotFoundError(options);
    case ErrorReason.SANDBOX_NOT_RUNNING:
      return new SandboxClosedError(options);
    case ErrorReason.COMMAND_TIMEOUT:
      return new CommandTimeoutError({ ...options, result: undefined });
    case ErrorReason.FILE_NOT_FOUND:
    case ErrorReason.FILE_IS_DIRECTORY:
    case ErrorReason.FILE_PERMISSION_DENIED:
    case ErrorReason.FILE_IO_FAILED:
    case ErrorReason.FILE_TOO_LARGE:
    case ErrorReason.FILE_TRUNCATED:
      return new FileError({
        ...options,
        path: context.path ?? options.metadata?.[FileErrorMetadata.FILE_PATH] ?? "",
      });
    case ErrorReason.RUNNER_UNAVAILABLE:
    case ErrorReason.BACKEND_UNAVAILABLE:
    case ErrorReason.FSS_BACKEND_THROTTLED:
    case ErrorReason.FSS_INFLIGHT_LIMIT:
    case ErrorReason.FSS_BUCKET_PROVISIONING:
      return new UnavailableError({
        ...options,
        advice: "The service says that this passes: try again later.",
      });
    default:
      return undefined;
  }
}

function fromCode(
  error: ConnectError,
  options: Omit<TidyboxErrorOptions, "code">,
  context: CallContext,
): TidyboxError {
  const problem = connectionProblem(error);
  if (problem !== undefined) {
    return new UnavailableError({
      ...options,
      message: `Could not ${whatFailed(context)}: the sandbox service at ${context.address} cannot be reached (${problem}).`,
      advice: adviceForAddress(context.address, isTlsProblem(error)),
    });
  }
  switch (error.code) {
    case Code.Unauthenticated:
    case Code.PermissionDenied:
      return new AuthenticationError({
        ...options,
        advice: adviceForKey(context),
      });
    case Code.NotFound:
      return new NotFoundError(options);
    case Code.ResourceExhausted:
      return new QuotaError({
        ...options,
        advice:
          "A quota or rate of the account is used up: run fewer sandboxes at once, or stop those that are left over.",
      });
    case Code.DeadlineExceeded:
      return new TimeoutError({
        ...options,
        message: `${options.message} (no answer from ${context.address} in time)`,
      });
    case Code.Unavailable:
      return new UnavailableError({
        ...options,
        message: `${options.message} (${context.address})`,
        advice: "The service is there but cannot serve now: try again later.",
      });
    default:
  }
  if (isConnectionLost(error)) {
    return new UnavailableError({
      ...options,
      message: `${options.message} (the connection to ${context.address} broke)`,
      advice: `See whether the service at ${context.address} is still running.`,
    });
  }
  return new TidyboxError({ ...options, code: "service_error" });
}

function adviceForKey({ address, secrets }: CallContext): string {
  // Undefined where the caller does not say what was sent.
  if (secrets?.length === 0)
    return `No API key was sent: set CWSANDBOX_API_KEY (or option apiKey) to that of ${address}. \`npx tidybox serve\` prints its own with its address.`;
  const check = `Check the API key (option apiKey or CWSANDBOX_API_KEY) for ${address}.`;
  return address === DEFAULT_BASE_URL
    ? `${check} Is it the key of a local service? Then set CWSANDBOX_BASE_URL to its address, too.`
    : check;
}

function adviceForAddress(address: string, tls: boolean): string {
  if (tls)
    return "Check the certificate of that address, and NODE_EXTRA_CA_CERTS if it is your own.";
  if (isLoopback(address)) {
    return "If it should be the local service: is `npx tidybox serve` still running, and is CWSANDBOX_BASE_URL its current address?";
  }
  return "Check the network, and the address in option baseUrl or CWSANDBOX_BASE_URL.";
}

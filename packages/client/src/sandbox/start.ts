import { randomUUID } from "node:crypto";
import { type Sandbox as SandboxRecord, type SandboxSpec, State } from "@tidybox/protocol";
import type { Connection } from "../connection/connection.ts";
import { Deadline, abortable, settlesWithin } from "../connection/waiting.ts";
import { TimeoutError } from "../errors/request-errors.ts";
import { SandboxFailedError } from "../errors/sandbox-errors.ts";
import type { TidyboxError } from "../errors/tidybox-error.ts";
import { EndOfLog, mayPrint } from "../logs/end-of-log.ts";
import { checkSeconds } from "../options/checks.ts";
import { asError, reportLeft } from "./cleanup-report.ts";
import { Creation, undoSandbox } from "./creation.ts";
import { SandboxHandle } from "./handle.ts";
import { pollUntil } from "./poll.ts";
import { toSandboxState } from "./state.ts";

export interface StartOptions {
  /** Gives up: what was made is stopped. */
  readonly signal?: AbortSignal | undefined;
  /** From the call to a running sandbox, waiting for quota included. Default 60. */
  readonly startTimeoutSeconds?: number | undefined;
  /** Idempotency key. Default: a new one. */
  readonly requestId?: string | undefined;
  /** Told the id as soon as it is known, long before the sandbox runs. */
  readonly onAccepted?: ((sandboxId: string) => void) | undefined;
  /** Default `"wait"`, as long as the start may take; `"throw"` fails at once with QuotaError. */
  readonly whenQuotaExceeded?: "wait" | "throw" | undefined;
}

const DEFAULT_START_TIMEOUT_SECONDS = 60;
/** How long a caller who gave up is kept waiting for the undoing, which goes on by itself after it. */
const UNDO_WAIT_SECONDS = 5;

/**
 * Creates a sandbox and waits until it runs, or has already come to its own end. Where that fails,
 * for whatever reason, what was made is stopped.
 *
 * @throws SandboxFailedError with the service's reason and the last of its log when it cannot start
 * @throws TimeoutError when it does not run in time
 */
export async function startSandbox(
  connection: Connection,
  spec: SandboxSpec,
  options: StartOptions,
): Promise<SandboxHandle> {
  const { signal, startTimeoutSeconds = DEFAULT_START_TIMEOUT_SECONDS } = options;
  checkSeconds(startTimeoutSeconds, "startTimeoutSeconds");
  signal?.throwIfAborted();
  let seen: SandboxRecord | undefined;
  using deadline = new Deadline(startTimeoutSeconds, signal, () =>
    lateError(connection, startTimeoutSeconds, seen),
  );
  const creation = new Creation(connection, spec, {
    requestId: options.requestId ?? randomUUID(),
    whenQuotaExceeded: options.whenQuotaExceeded ?? "wait",
    startTimeoutSeconds,
  });
  try {
    seen = await abortable(creation.answer, deadline.signal);
  } catch (error) {
    if (deadline.signal.aborted) await settlesWithin(creation.undo(), UNDO_WAIT_SECONDS);
    else if (creation.mayExist)
      reportLeft([{ sandboxId: "", tags: spec.tags, error: asError(error) }]);
    throw error;
  }
  const handle = new SandboxHandle(connection, seen.sandboxId, seen);
  try {
    options.onAccepted?.(handle.id);
    if (isReady(seen)) return handle;
    if (hasFailed(seen)) throw failedError(seen);
    // From now on, because nobody can read it when the sandbox has failed.
    using log = mayPrint(spec) ? new EndOfLog(handle) : undefined;
    const settled = await pollUntil(
      handle,
      (record) => {
        seen = record;
        return isReady(record) || hasFailed(record);
      },
      deadline.signal,
    );
    if (hasFailed(settled)) throw failedError(settled, await log?.lines());
    return handle;
  } catch (error) {
    if (!(error instanceof SandboxFailedError)) {
      await settlesWithin(undoSandbox(connection, handle.id, spec.tags), UNDO_WAIT_SECONDS);
    }
    throw error;
  }
}

/** A quick main process may be over before anybody saw it run (reference 3.1). */
function isReady(record: SandboxRecord): boolean {
  switch (record.status?.state) {
    case State.RUNNING:
    case State.PAUSED:
    case State.COMPLETED:
      return true;
    default:
      return false;
  }
}

function hasFailed({ status }: SandboxRecord): boolean {
  return status?.state === State.FAILED || status?.state === State.TERMINATED;
}

function failedError(
  { sandboxId, status }: SandboxRecord,
  lastLogLines: readonly string[] = [],
): SandboxFailedError {
  const stateReason = status?.stateReason ?? "";
  const what =
    status?.state === State.TERMINATED ? "was stopped while it started" : "could not start";
  return new SandboxFailedError({
    message:
      `Sandbox ${sandboxId} ${what}: ${stateReason === "" ? "the service gives no reason" : stateReason}` +
      (lastLogLines.length === 0
        ? ""
        : `\nIts main process printed last:\n${lastLogLines.map((line) => `  ${line}`).join("\n")}`),
    advice: "Check its image, command and resources. Nothing of it is left.",
    sandboxId,
    stateReason,
    lastLogLines,
  });
}

function lateError(
  connection: Connection,
  seconds: number,
  seen: SandboxRecord | undefined,
): TidyboxError {
  if (seen === undefined) {
    return new TimeoutError({
      message: `No sandbox within ${seconds} s: ${connection.baseUrl} has not accepted the create.`,
      advice:
        "It may be overloaded, or a quota may be used up. Raise startTimeoutSeconds to wait longer.",
    });
  }
  const { state, stateReason = "" } = seen.status ?? {};
  return new TimeoutError({
    message:
      `Sandbox ${seen.sandboxId} does not run after ${seconds} s; it is ${toSandboxState(state)}` +
      `${stateReason === "" ? "" : `: ${stateReason}`}. It is being stopped.`,
    advice: "A large image may need longer the first time: raise startTimeoutSeconds.",
    sandboxId: seen.sandboxId,
  });
}

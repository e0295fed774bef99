import { randomUUID } from "node:crypto";
import {
  RETRY_PAUSE_CEILING_SECONDS,
  type Sandbox as SandboxRecord,
  type SandboxSpec,
  State,
} from "@tidybox/protocol";
import type { Connection } from "../connection/connection.ts";
import { Deadline } from "../connection/deadline.ts";
import { abortable, settlesWithin } from "../connection/waiting.ts";
import { TimeoutError } from "../errors/request-errors.ts";
import { SandboxFailedError } from "../errors/sandbox-errors.ts";
import type { TidyboxError } from "../errors/tidybox-error.ts";
import { EndOfLog, mayPrint } from "../logs/end-of-log.ts";
import { checkSeconds } from "../options/checks.ts";
import { reportLeft } from "./cleanup-report.ts";
import { Creation, type Undoing, undoSandbox } from "./creation.ts";
import type { SandboxHandle } from "./handle.ts";
import { pollUntil } from "./poll.ts";
import type { StartQueue } from "./start-queue.ts";
import { toSandboxState } from "./state.ts";
import { usualTimes } from "./usual-time.ts";

export interface StartOptions {
  /** Gives up: what was made is stopped. */
  readonly signal?: AbortSignal | undefined;
  /** From the call to a running sandbox, waiting for a turn and for quota included. Default 60. */
  readonly startTimeoutSeconds?: number | undefined;
  /** Where it waits for its turn. Default: it does not. */
  readonly queue?: StartQueue | undefined;
  /** Idempotency key. Default: a new one. */
  readonly requestId?: string | undefined;
  /** Template to make it from; the spec then holds what takes the place of parts of it. */
  readonly templateId?: string | undefined;
  /** Told the id as soon as it is known, long before the sandbox runs. */
  readonly onAccepted?: ((sandboxId: string) => void) | undefined;
  /**
   * Told when the start is given up. Takes over to say what may be left of it, which is a process
   * warning otherwise.
   */
  readonly onUndoing?: ((undoing: Undoing) => void) | undefined;
  /** Default `"wait"`, as long as the start may take; `"throw"` fails at once with QuotaError. */
  readonly whenQuotaExceeded?: "wait" | "throw" | undefined;
  /**
   * What to do while the service does not answer, or says that it cannot serve. Default `"retry"`, for
   * 30 s; `"wait"`, as long as the start may take. Where nobody listens, on a first contact or on this
   * machine, both soon give up.
   */
  readonly whenUnavailable?: "retry" | "wait" | undefined;
  /** Told of each try of the create, or of a look at what it made, that failed. */
  readonly onFailedTry?: ((error: TidyboxError) => void) | undefined;
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
  const { signal, queue, startTimeoutSeconds = DEFAULT_START_TIMEOUT_SECONDS } = options;
  checkSeconds(startTimeoutSeconds, "startTimeoutSeconds");
  signal?.throwIfAborted();
  const { whenUnavailable = "retry", onFailedTry } = options;
  // The deadline comes before the last pause: nobody gives up early.
  const outageBudgetSeconds =
    whenUnavailable === "wait" ? startTimeoutSeconds + RETRY_PAUSE_CEILING_SECONDS : undefined;
  let handle: SandboxHandle | undefined;
  let hasTurn = queue === undefined;
  using deadline: Deadline = new Deadline(startTimeoutSeconds, [signal], () =>
    queue !== undefined && !hasTurn
      ? queuedError(startTimeoutSeconds, queue)
      : lateError(connection, startTimeoutSeconds, handle?.record, creation.lastFailure),
  );
  // Nothing of it is tracked, let alone sent, while it waits here.
  using turn = await queue?.turn(deadline.signal);
  hasTurn = true;
  const creation = new Creation(connection, spec, {
    requestId: options.requestId ?? randomUUID(),
    templateId: options.templateId,
    whenQuotaExceeded: options.whenQuotaExceeded ?? "wait",
    ...{ startTimeoutSeconds, outageBudgetSeconds },
    beforeTry: turn?.beforeTry,
    onFailedTry: (error) => {
      turn?.failed(error);
      onFailedTry?.(error);
    },
  });
  try {
    handle = await abortable(creation.answer, deadline.signal);
    turn?.accepted();
  } catch (error) {
    if (deadline.signal.aborted || creation.mayExist) await waitFor(creation.undo(), options);
    throw error;
  }
  try {
    options.onAccepted?.(handle.id);
    const { record } = handle;
    if (record !== undefined && isReady(record)) return handle;
    if (record !== undefined && hasFailed(record)) throw failedError(record);
    // From now on, because nobody can read it when the sandbox has failed.
    // Of a template's sandbox only the service knows the command.
    const known = spec.containers.length > 0 ? spec : record?.spec;
    using log = mayPrint(known) ? new EndOfLog(handle) : undefined;
    const settled = await pollUntil(
      handle,
      (seen) => isReady(seen) || hasFailed(seen),
      deadline.signal,
      {
        usual: usualTimes(connection).start,
        outageBudgetSeconds,
        onFailure: (error) => {
          onFailedTry?.(error);
          return true;
        },
      },
    );
    if (hasFailed(settled)) throw failedError(settled, await log?.lines());
    return handle;
  } catch (error) {
    if (!(error instanceof SandboxFailedError))
      await waitFor(undoSandbox(connection, handle.id, spec.tags), options);
    throw error;
  }
}

async function waitFor(undoing: Undoing, { onUndoing }: StartOptions): Promise<void> {
  if (onUndoing !== undefined) onUndoing(undoing);
  else void undoing.done.then((failure) => failure !== undefined && reportLeft([failure]));
  await settlesWithin(undoing.done, UNDO_WAIT_SECONDS);
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

function queuedError(seconds: number, queue: StartQueue): TimeoutError {
  return new TimeoutError({
    message: `No sandbox within ${seconds} s: ${queue.describe()}. Nothing was sent of it.`,
    advice: "Ask for fewer at once, raise startTimeoutSeconds, or the session's maxStarting.",
  });
}

function lateError(
  connection: Connection,
  seconds: number,
  seen: SandboxRecord | undefined,
  lastFailure: TidyboxError | undefined,
): TidyboxError {
  if (seen === undefined) {
    return new TimeoutError({
      message:
        `No sandbox within ${seconds} s: ${connection.baseUrl} has not accepted the create` +
        (lastFailure === undefined ? "." : `. ${lastFailure.message.split("\n")[0]}`),
      reason: lastFailure?.reason,
      attempts: lastFailure?.attempts ?? 0,
      cause: lastFailure,
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

import { ErrorReason } from "@tidybox/protocol";
import { settlesWithin } from "../connection/waiting.ts";
import { NotFoundError, UnavailableError } from "../errors/request-errors.ts";
import { SandboxClosedError } from "../errors/sandbox-errors.ts";
import { TidyboxError } from "../errors/tidybox-error.ts";
import { endingOf } from "./ending.ts";
import { getSandbox } from "./get.ts";
import type { SandboxHandle } from "./handle.ts";
import { type SandboxStatus, toSandboxStatus } from "./status.ts";

/** Why a sandbox is gone, and what to do about it. */
export interface EndExplanation {
  /** As in "Sandbox … has ended: its own main process …". */
  readonly why: string;
  readonly advice: string;
}

/** Asked first, by whoever may know more than the service. Undefined: nothing is known. */
export type EndExplainer = () => Promise<EndExplanation | undefined>;

/** The call has failed already: its error must not wait long for better words. */
const LOOK_SECONDS = 3;

/** Makes a call on a sandbox; where it fails because that is gone, the error says what ended it. */
export async function explaining<T>(handle: SandboxHandle, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof TidyboxError) || !mayBeGone(handle, error)) throw error;
    const explanation = await explain(handle);
    throw explanation === undefined ? error : explained(handle, error, explanation);
  }
}

function mayBeGone(handle: SandboxHandle, error: TidyboxError): boolean {
  if (handle.stopping || handle.closedSignal.aborted) return false;
  if (error instanceof UnavailableError) return handle.endExplainer !== undefined;
  return (
    error.reason === ErrorReason.SANDBOX_NOT_RUNNING ||
    error.reason === ErrorReason.SANDBOX_NOT_FOUND ||
    (error.code === "stream_broken" && error.reason === undefined)
  );
}

/** Bounded; never throws. */
async function explain(handle: SandboxHandle): Promise<EndExplanation | undefined> {
  const giveUp = new AbortController();
  let found: EndExplanation | undefined;
  const look = async (): Promise<void> => {
    found = await handle.endExplainer?.();
    if (found !== undefined) return;
    const record = await getSandbox(handle.connection, handle.id, giveUp.signal);
    handle.see(record);
    found = fromStatus(toSandboxStatus(record));
  };
  await settlesWithin(look(), LOOK_SECONDS);
  giveUp.abort(new Error("it took too long"));
  return found;
}

function fromStatus(status: SandboxStatus): EndExplanation | undefined {
  const { stateReason, exitCode, maxLifetimeSeconds } = status;
  const said = stateReason === "" ? "" : ` (the service says: ${stateReason})`;
  switch (endingOf(status)) {
    case "lifetime":
      return {
        why: `its maximum lifetime of ${maxLifetimeSeconds} s is over`,
        advice: "Raise maxLifetimeSeconds for what takes longer.",
      };
    case "main-process":
      return {
        why: `its own main process ended${exitCode === undefined ? "" : ` with exit code ${exitCode}`}`,
        advice:
          "A sandbox lives as long as its main process: leave `command` out, or give one that stays.",
      };
    case "failure":
      return { why: `it failed${said}`, advice: "" };
    case "stop":
      return {
        why: `somebody else stopped it${said}`,
        advice: "`tidybox reap`, a purge by one of its tags, another client or the platform did.",
      };
    default:
      return undefined;
  }
}

function explained(
  { id }: SandboxHandle,
  error: TidyboxError,
  { why, advice }: EndExplanation,
): TidyboxError {
  const options = {
    message: `Sandbox ${id} has ended: ${why}. ${error.message.split("\n")[0]}`,
    advice,
    reason: error.reason,
    sandboxId: id,
    metadata: error.metadata,
    attempts: error.attempts,
    cause: error,
  };
  if (error instanceof NotFoundError) return new NotFoundError(options);
  if (error instanceof UnavailableError) return new UnavailableError(options);
  return new SandboxClosedError(options);
}

import { type Sandbox as SandboxRecord, State, Visibility } from "@tidybox/protocol";
import { Deadline } from "../connection/deadline.ts";
import { ConfigurationError, TimeoutError } from "../errors/request-errors.ts";
import { SandboxClosedError } from "../errors/sandbox-errors.ts";
import { checkSeconds } from "../options/checks.ts";
import type { SandboxHandle } from "./handle.ts";
import { pollUntil, recordHasEnded } from "./poll.ts";
import { toSandboxState } from "./state.ts";
import { toSandboxStatus } from "./status.ts";

/** A URL may come a while after the sandbox runs; the service's own tests allow so much. */
const DEFAULT_URL_TIMEOUT_SECONDS = 60;

export interface UrlOptions {
  /** For the URL to be assigned. Default 60; Infinity for none. */
  readonly timeoutSeconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The URL of a declared port, once the service has assigned it. See {@link Sandbox.url}. */
export async function waitForUrl(
  handle: SandboxHandle,
  port: number,
  { timeoutSeconds = DEFAULT_URL_TIMEOUT_SECONDS, signal }: UrlOptions,
): Promise<string> {
  checkSeconds(timeoutSeconds, "timeoutSeconds");
  handle.throwIfUnusable();
  using deadline = new Deadline(timeoutSeconds, [signal, handle.closedSignal], () => {
    const message = `Sandbox ${handle.id} has no URL for port ${port} after ${timeoutSeconds} s.`;
    const advice = "The service has not assigned one yet, or its policy keeps the port closed.";
    return new TimeoutError({ message, advice, sandboxId: handle.id });
  });
  const record = await pollUntil(
    handle,
    (seen) => urlOf(seen, port) !== "" || neverComes(seen, port) !== undefined,
    deadline.signal,
  );
  const url = urlOf(record, port);
  if (url === "") throw neverComes(record, port) ?? handle.closedError();
  return url;
}

function urlOf(record: SandboxRecord, port: number): string {
  return toSandboxStatus(record).services.find((each) => each.port === port)?.url ?? "";
}

/** Why no URL will come, however long somebody waits. */
function neverComes(record: SandboxRecord, port: number): Error | undefined {
  const { sandboxId, spec, status } = record;
  const declared = [...(spec?.services ?? []), ...(status?.services ?? [])];
  const service = declared.find((each) => each.port === port);
  if (service === undefined) {
    return new ConfigurationError({
      message: `Sandbox ${sandboxId} has no service on port ${port}: ports are declared when it is made.`,
      advice: `Make it with services: [{ port: ${port}, visibility: "public" }].`,
      sandboxId,
    });
  }
  const isDenied = service.visibility === Visibility.CUSTOM && spec?.network?.denyIngress === true;
  if (service.visibility === Visibility.UNSPECIFIED || isDenied) {
    const why = isDenied
      ? "network.denyIngress closes those of visibility custom"
      : "it was declared without a visibility";
    return new ConfigurationError({
      message: `Port ${port} of sandbox ${sandboxId} is closed to the outside: ${why}.`,
      advice: 'Declare it with visibility "public" or "private".',
      sandboxId,
    });
  }
  if (!recordHasEnded(record) && status?.state !== State.TERMINATING) return undefined;
  return new SandboxClosedError({
    message: `Sandbox ${sandboxId} has no URL for port ${port}: it is ${toSandboxState(status?.state)}.`,
    advice: "It has ended, or is being stopped: look at its log and its exit code.",
    sandboxId,
  });
}

import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fromBinary } from "@bufbuild/protobuf";
import { SandboxSpecSchema } from "@tidybox/protocol";
import { isLoopback } from "../connection/address.ts";
import { Connection } from "../connection/connection.ts";
import { preloadWire } from "../connection/transport.ts";
import { Deadline } from "../connection/deadline.ts";
import { pause } from "../connection/waiting.ts";
import { reachOf } from "../errors/connect-failure.ts";
import { AuthenticationError, TimeoutError, UnavailableError } from "../errors/request-errors.ts";
import { Creation } from "../sandbox/creation.ts";
import { deleteSandbox } from "../sandbox/delete.ts";
import { removeCleanupHandlers } from "./cleanup-handlers.ts";
import { decodeMessage } from "./helper-messages.ts";
import type { Handover } from "./live-sandbox.ts";

const LIMIT_SECONDS = 60;
/** On this very machine nobody listens: the service has ended, and its sandboxes with it. */
const LOCAL_LIMIT_SECONDS = 5;
const PAUSE_SECONDS = 1;
/** A create that was carried out is answered by its key, quota or not. */
const QUOTA_SECONDS = 5;

/** The body of the helper process: hears what is to be stopped, stops it, goes. Always bounded. */
export async function finishCleanup(input: Readable): Promise<never> {
  process.title = "tidybox-cleanup";
  // Sent to all processes of a job that ends; this one is needed for just that, and not for long.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
  removeCleanupHandlers();
  // Whoever ends may remove what it was installed from.
  await preloadWire();
  const { left, graceSeconds } = await readMessages(input);
  setTimeout(() => process.exit(1), (LIMIT_SECONDS + 5) * 1000);
  using deadline = new Deadline(
    LIMIT_SECONDS,
    [],
    () => new TimeoutError({ message: "Not everything was stopped in time." }),
  );
  const connections = new Map<string, Connection>();
  const connectionTo = ({ service }: Handover): Connection => {
    const key = JSON.stringify(service);
    const known = connections.get(key) ?? new Connection(service);
    connections.set(key, known);
    return known;
  };
  const outcomes = await Promise.allSettled(
    left.map((each) => stopOne(each, connectionTo(each), graceSeconds, deadline.signal)),
  );
  process.exit(outcomes.every(({ status }) => status === "fulfilled") ? 0 : 1);
}

async function readMessages(
  input: Readable,
): Promise<{ readonly left: readonly Handover[]; readonly graceSeconds: number }> {
  const left = new Map<string, Handover>();
  let graceSeconds = 0;
  for await (const line of createInterface({ input })) {
    const message = decodeMessage(line);
    if (message?.kind === "stop") left.set(message.key, message.handover);
    else if (message?.kind === "gone") left.delete(message.key);
    else if (message?.kind === "grace") graceSeconds = message.seconds;
  }
  return { left: [...left.values()], graceSeconds };
}

async function stopOne(
  handover: Handover,
  connection: Connection,
  graceSeconds: number,
  signal: AbortSignal,
): Promise<void> {
  const startedAt = performance.now();
  for (;;) {
    try {
      const sandboxId =
        handover.kind === "sandbox" ? handover.sandboxId : await repeatCreate(connection, handover);
      if (sandboxId !== undefined)
        await deleteSandbox(connection, sandboxId, { graceSeconds, missingOk: true, signal });
      return;
    } catch (error) {
      const seconds = (performance.now() - startedAt) / 1000;
      const nobodyThere = error instanceof UnavailableError && reachOf(error.cause) === "unsent";
      if (
        error instanceof AuthenticationError ||
        (nobodyThere && isLoopback(connection.baseUrl) && seconds > LOCAL_LIMIT_SECONDS)
      ) {
        throw error;
      }
      await pause(PAUSE_SECONDS, signal);
    }
  }
}

/**
 * The same create under the same key: answers the id of what it made before. If it had made nothing
 * it does now, and the first one, should it still be under way, makes nothing any more. Undefined
 * when the service refuses it, which it does not to a create that it has carried out.
 */
async function repeatCreate(
  connection: Connection,
  { requestId, templateId, spec }: Extract<Handover, { kind: "create" }>,
): Promise<string | undefined> {
  const creation = new Creation(
    connection,
    fromBinary(SandboxSpecSchema, Buffer.from(spec, "base64")),
    { requestId, templateId, whenQuotaExceeded: "wait", startTimeoutSeconds: QUOTA_SECONDS },
  );
  try {
    return (await creation.answer).id;
  } catch (error) {
    const passes = error instanceof UnavailableError || error instanceof TimeoutError;
    if (error instanceof AuthenticationError || passes) throw error;
    return undefined;
  }
}

import { toBinary } from "@bufbuild/protobuf";
import { type SandboxSpec, SandboxSpecSchema } from "@tidybox/protocol";
import { accessOf, Connection } from "../connection/connection.ts";
import { abortable } from "../connection/waiting.ts";
import { keyOfCreate, keyOfSandbox } from "../process/live-sandbox.ts";
import { processCleanup } from "../process/process-cleanup.ts";
import { deleteSandbox } from "./delete.ts";
import type { SandboxHandle } from "./handle.ts";
import { recordHasEnded } from "./poll.ts";

/** From now on it ends with this process, until it is known to have been stopped. */
export function trackSandbox(handle: SandboxHandle): void {
  const { connection, id, record } = handle;
  if (record !== undefined && recordHasEnded(record)) return;
  processCleanup().add({
    key: keyOfSandbox(connection.baseUrl, id),
    sandboxId: id,
    tags: record?.spec?.tags ?? [],
    handover: () => ({ kind: "sandbox", service: accessOf(connection), sandboxId: id }),
    stop: async ({ graceSeconds, signal }) => {
      handle.noteStop(true);
      try {
        const open = connection.closed ? reopened(connection) : connection;
        await deleteSandbox(open, id, { graceSeconds, missingOk: true, signal });
      } catch (error) {
        handle.noteStop(false);
        throw error;
      }
    },
  });
}

const again = new WeakMap<Connection, Connection>();

/** The program has closed its own, and its sandboxes are still there. */
function reopened(closed: Connection): Connection {
  const connection = again.get(closed) ?? new Connection(accessOf(closed));
  again.set(closed, connection);
  return connection;
}

interface CreateUnderWay {
  readonly answer: Promise<SandboxHandle>;
  readonly mayExist: boolean;
  giveUp(): void;
}

/**
 * A create, before it is sent. Whoever must find what it made repeats it under its key, which
 * answers the id; if nothing was made, that makes the one that is then deleted, and what is still on
 * its way makes nothing any more. A tag of its own would show in everybody's listings, and would
 * have to be looked for again and again, since a create may land late. Answers how to forget it.
 */
export function trackCreate(
  creation: CreateUnderWay,
  connection: Connection,
  spec: SandboxSpec,
  {
    requestId,
    templateId,
  }: { readonly requestId: string; readonly templateId?: string | undefined },
): () => void {
  const key = keyOfCreate(requestId);
  processCleanup().add({
    key,
    sandboxId: "",
    tags: spec.tags,
    handover: () => ({
      kind: "create",
      service: accessOf(connection),
      requestId,
      ...(templateId !== undefined && { templateId }),
      spec: Buffer.from(toBinary(SandboxSpecSchema, spec)).toString("base64"),
    }),
    // With its answer there is a sandbox, which is stopped next.
    stop: async ({ signal }) => {
      creation.giveUp();
      try {
        await abortable(creation.answer, signal);
      } catch (error) {
        if (creation.mayExist || signal.aborted) throw error;
      }
    },
  });
  return () => processCleanup().drop(key);
}

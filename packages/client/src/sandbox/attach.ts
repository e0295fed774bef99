import type { Sandbox as SandboxRecord, SandboxSpec } from "@tidybox/protocol";
import type { Connection } from "../connection/connection.ts";
import type { CommandListener } from "../exec/observed-command.ts";
import type { Snapshot } from "../snapshots/snapshot.ts";
import { type SnapshotOptions, takeSnapshot } from "../snapshots/take-snapshot.ts";
import type { EndExplainer } from "./explained-end.ts";
import { SandboxHandle } from "./handle.ts";
import { handleOf } from "./handle-of.ts";
import { Sandbox } from "./sandbox.ts";
import { type StartOptions, startSandbox } from "./start.ts";

/** Like `Sandbox.run`, with a spec that is complete already. */
export async function createFromSpec(
  connection: Connection,
  spec: SandboxSpec,
  options: StartOptions = {},
): Promise<Sandbox> {
  return new Sandbox(await startSandbox(connection, spec, options));
}

/** A sandbox that somebody else has made, without asking the service. */
export function attachSandbox(connection: Connection, record: SandboxRecord): Sandbox;
export function attachSandbox(connection: Connection, id: string, record?: SandboxRecord): Sandbox;
export function attachSandbox(
  connection: Connection,
  idOrRecord: string | SandboxRecord,
  record?: SandboxRecord,
): Sandbox {
  return typeof idOrRecord === "string"
    ? new Sandbox(new SandboxHandle(connection, idOrRecord, record))
    : new Sandbox(new SandboxHandle(connection, idOrRecord.sandboxId, idOrRecord));
}

/**
 * For the owner of a sandbox: every later call on this object but `stop` fails with a
 * SandboxClosedError, and so does what is under way. The sandbox itself goes on.
 *
 * @param because as in "Sandbox … is closed: the test has ended"
 */
export function closeHandle(sandbox: Sandbox, because: string): void {
  handleOf(sandbox).close(because);
}

/**
 * Like `sandbox.snapshot()`, under an idempotency key of one's own: at most 128 bytes, one for each
 * snapshot. It is what its taker can tell it by later.
 */
export function snapshotUnder(
  sandbox: Sandbox,
  requestId: string,
  options: SnapshotOptions,
): Promise<Snapshot> {
  return takeSnapshot(handleOf(sandbox), options, requestId);
}

/** Calls the listener at the start of each command. Answers how to stop listening. */
export function observeCommands(sandbox: Sandbox, listener: CommandListener): () => void {
  return handleOf(sandbox).onCommand(listener);
}

/** Asked before the service when a call fails because the sandbox may be gone. */
export function explainEnds(sandbox: Sandbox, explainer: EndExplainer): void {
  handleOf(sandbox).endExplainer = explainer;
}

/** Calls the listener once, when a stop through this object has ended the sandbox. */
export function onStopped(sandbox: Sandbox, listener: () => void): void {
  handleOf(sandbox).onEnd(listener);
}

/** Whether a stop through this object is under way or done. */
export function stopHasBegun(sandbox: Sandbox): boolean {
  return handleOf(sandbox).stopping;
}

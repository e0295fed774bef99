import { randomUUID } from "node:crypto";
import { SNAPSHOT_WAIT_SECONDS } from "@tidybox/protocol";
import { call } from "../connection/call.ts";
import { Deadline } from "../connection/deadline.ts";
import { TimeoutError } from "../errors/request-errors.ts";
import { checkSeconds, checkText } from "../options/checks.ts";
import { invalidOption } from "../options/invalid-option.ts";
import type { SandboxHandle } from "../sandbox/handle.ts";
import { scratchVolumesOf } from "./scratch-volumes.ts";
import { Snapshot } from "./snapshot.ts";

export interface SnapshotOptions {
  /** Name of a scratch volume. Default: the only one. */
  readonly volume?: string | undefined;
  /** Wait until it is ready. Default true. */
  readonly wait?: boolean | undefined;
  /** For all of it. Default 605; Infinity for none. */
  readonly timeoutSeconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Begins a snapshot, under one idempotency key for all tries, and waits for it. */
export async function takeSnapshot(
  handle: SandboxHandle,
  { volume, wait = true, timeoutSeconds = SNAPSHOT_WAIT_SECONDS, signal }: SnapshotOptions,
  requestId: string = randomUUID(),
): Promise<Snapshot> {
  checkSeconds(timeoutSeconds, "timeoutSeconds");
  if (volume !== undefined) checkText(volume, "volume");
  handle.throwIfUnusable();
  const { connection, id: sandboxId } = handle;
  const outside = [signal, handle.closedSignal].filter((each) => each !== undefined);
  using deadline = new Deadline(
    timeoutSeconds,
    [signal, handle.closedSignal],
    () =>
      new TimeoutError({
        message: `No snapshot of sandbox ${sandboxId} within ${timeoutSeconds} s: the service has not accepted it.`,
        sandboxId,
      }),
  );
  const scratchVolumeName = volume ?? (await onlyVolume(handle, deadline.signal));
  const request = { sandboxId, scratchVolumeName, requestId };
  const record = await call(
    connection,
    { action: "take a snapshot", sandboxId },
    { retry: "passing", signal: deadline.signal },
    (client, options) => client.createFileSystemSnapshot(request, options),
  );
  const snapshot = new Snapshot(connection, record);
  if (!wait) return snapshot;
  return snapshot.wait({
    timeoutSeconds: Number.isFinite(timeoutSeconds)
      ? Math.ceil(deadline.remainingSeconds)
      : timeoutSeconds,
    // Taking it goes on, also when its sandbox is closed to others.
    signal: AbortSignal.any(outside),
  });
}

async function onlyVolume(handle: SandboxHandle, signal: AbortSignal): Promise<string> {
  const names = await scratchVolumesOf(handle, signal);
  const [only] = names;
  if (only !== undefined && names.length === 1) return only;
  throw invalidOption(
    "volume",
    only === undefined
      ? `cannot be left out: sandbox ${handle.id} has no scratch volume`
      : `must name one of ${names.join(", ")}`,
    only === undefined ? "Make it with option volumes." : undefined,
  );
}

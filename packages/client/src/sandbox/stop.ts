import { randomUUID } from "node:crypto";
import { DEFAULT_STOP_GRACE_SECONDS } from "@tidybox/protocol";
import { NotFoundError, TimeoutError } from "../errors/request-errors.ts";
import { checkSeconds, checkText } from "../options/checks.ts";
import { invalidOption } from "../options/invalid-option.ts";
import { scratchVolumesOf } from "../snapshots/scratch-volumes.ts";
import { deleteSandbox } from "./delete.ts";
import type { SandboxHandle } from "./handle.ts";
import { pollUntil, recordHasEnded } from "./poll.ts";
import { type SandboxState, toSandboxState } from "./state.ts";
import { usualTimes } from "./usual-time.ts";

export interface StopOptions {
  /** For the main process, between being asked and being killed. Default 10; 0 kills at once. */
  readonly gracefulShutdownSeconds?: number | undefined;
  /**
   * Take snapshots of its scratch volumes, all of them or those that are named, once the main process
   * has ended. The sandbox stops whatever becomes of them; see `Snapshot.wait`. Default false.
   */
  readonly snapshotOnStop?: boolean | readonly string[] | undefined;
  /** A sandbox that is not there any more is stopped well enough. Default false. */
  readonly missingOk?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** For all of it, until the sandbox has ended. Default: the grace and 60 more; 660 with snapshots. */
  readonly timeoutSeconds?: number | undefined;
}

export interface StopResult {
  readonly sandboxId: string;
  /** Final; `"unknown"` where the service had forgotten the sandbox. */
  readonly state: SandboxState;
  readonly exitCode: number | undefined;
  /** Its main process had ended before this stop. */
  readonly endedByItself: boolean;
  /** Of `snapshotOnStop`, in the order of its names, or of the volumes in the spec. */
  readonly snapshotIds: readonly string[];
  /** The service did not know it any more. */
  readonly missing: boolean;
}

const STOP_MARGIN_SECONDS = 60;
const SNAPSHOT_SECONDS = 600;

export interface StopLimits {
  readonly graceSeconds: number;
  readonly timeoutSeconds: number;
}

/** @throws ConfigurationError */
export function stopLimits(options: StopOptions): StopLimits {
  const { gracefulShutdownSeconds: graceSeconds = DEFAULT_STOP_GRACE_SECONDS } = options;
  const { snapshotOnStop = false } = options;
  checkSnapshotOnStop(snapshotOnStop);
  const snapshotSeconds = snapshotOnStop === false ? 0 : SNAPSHOT_SECONDS;
  const { timeoutSeconds = graceSeconds + STOP_MARGIN_SECONDS + snapshotSeconds } = options;
  checkSeconds(graceSeconds, "gracefulShutdownSeconds");
  checkSeconds(timeoutSeconds, "timeoutSeconds");
  return { graceSeconds, timeoutSeconds };
}

/**
 * Stops and waits until it has ended: until then it counts against the quota.
 *
 * @throws NotFoundError, unless `missingOk`
 * @throws the signal's reason
 */
export async function stopSandbox(
  handle: SandboxHandle,
  {
    graceSeconds,
    missingOk,
    snapshotOnStop,
    signal,
  }: Pick<StopLimits, "graceSeconds"> &
    Pick<StopOptions, "snapshotOnStop"> & {
      readonly missingOk: boolean;
      readonly signal: AbortSignal;
    },
): Promise<StopResult> {
  const volumes = await volumesToSnapshot(handle, { snapshotOnStop, missingOk }, signal);
  const answer = await deleteSandbox(handle.connection, handle.id, {
    graceSeconds,
    missingOk,
    signal,
    ...(volumes.length > 0 && {
      snapshotVolumes: volumes,
      requestId: snapshotToken(handle, graceSeconds, volumes),
    }),
  });
  const { snapshotIds } = answer;
  const state = toSandboxState(answer.record?.status?.state);
  const result = { sandboxId: handle.id, exitCode: undefined, endedByItself: false, snapshotIds };
  if (answer.record === undefined)
    return answer.existed ? { ...result, state: "unknown", missing: false } : missing(handle);
  handle.see(answer.record);
  try {
    const ended = recordHasEnded(answer.record)
      ? answer.record
      : await pollUntil(handle, recordHasEnded, signal, {
          // A main process that is asked to end takes the time that it takes.
          ...(graceSeconds === 0 && { usual: usualTimes(handle.connection).stop }),
        });
    return {
      ...result,
      state: toSandboxState(ended.status?.state),
      exitCode: ended.status?.exitCode,
      // Our own stop leads through TERMINATING, or straight to TERMINATED (reference 3.4).
      endedByItself: state === "completed" || state === "failed",
      missing: false,
    };
  } catch (error) {
    // Forgotten right after it ended: gone is what was asked for.
    if (error instanceof NotFoundError) return { ...result, state: "unknown", missing: false };
    throw error;
  }
}

/** The result for a sandbox that was not there any more. */
export function missing({ id: sandboxId }: SandboxHandle): StopResult {
  return {
    ...{ sandboxId, state: "unknown", exitCode: undefined },
    ...{ endedByItself: false, snapshotIds: [], missing: true },
  };
}

function checkSnapshotOnStop(value: StopOptions["snapshotOnStop"]): void {
  if (typeof value === "boolean" || value === undefined) return;
  if (!Array.isArray(value))
    throw invalidOption("snapshotOnStop", "must be true, false or a list of volume names");
  for (const [index, name] of value.entries()) checkText(name, `snapshotOnStop[${index}]`);
}

async function volumesToSnapshot(
  handle: SandboxHandle,
  { snapshotOnStop = false, missingOk = false }: StopOptions,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (typeof snapshotOnStop !== "boolean") return snapshotOnStop;
  if (!snapshotOnStop) return [];
  try {
    const names = await scratchVolumesOf(handle, signal);
    if (names.length > 0) return names;
  } catch (error) {
    if (missingOk && error instanceof NotFoundError) return [];
    throw error;
  }
  throw invalidOption(
    "snapshotOnStop",
    `asks for snapshots, and sandbox ${handle.id} has no scratch volume`,
  );
}

/** The same for a stop that is tried again, by whomever: it must not take a second snapshot. */
function snapshotToken(
  handle: SandboxHandle,
  graceSeconds: number,
  volumes: readonly string[],
): string {
  const asked = JSON.stringify([graceSeconds, ...volumes]);
  if (handle.snapshotStop?.asked !== asked)
    handle.snapshotStop = { asked, requestId: randomUUID() };
  return handle.snapshotStop.requestId;
}

export function stillThere(handle: SandboxHandle, timeoutSeconds: number): TimeoutError {
  const state = toSandboxState(handle.record?.status?.state);
  return new TimeoutError({
    message: `Sandbox ${handle.id} has not ended within ${timeoutSeconds} s of its stop; it was last seen ${state}.`,
    advice: "The service has been told; if it stays, `Sandbox.delete(id)` tells it again.",
    sandboxId: handle.id,
  });
}

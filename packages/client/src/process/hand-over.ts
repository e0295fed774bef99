import { writeSync } from "node:fs";
import { CleanupError } from "../errors/cleanup-error.ts";
import { asError } from "../sandbox/cleanup-report.ts";
import type { HelperMessage } from "./helper-messages.ts";
import { HelperProcess } from "./helper-process.ts";
import type { LiveSandbox } from "./live-sandbox.ts";

/**
 * Gives what is still alive to a process that survives this one, synchronously. Started here and not
 * ahead: that costs an ending process about 3 ms (and 100 ms until the helper's first call), while one
 * that waited all the time would cost 75 MB for each process that has a sandbox. Never throws: what may be left is said on stderr.
 */
export function handOver(sandboxes: readonly LiveSandbox[], graceSeconds: number): void {
  const messages = sandboxes.flatMap(stopMessages);
  if (messages.length === 0) return;
  try {
    const helper = new HelperProcess();
    helper.send([{ kind: "grace", seconds: graceSeconds }, ...messages]);
    helper.close();
  } catch (error) {
    sayLeft(sandboxes, asError(error));
  }
}

/** None for what ends with this process by itself. */
export function stopMessages({ key, handover }: LiveSandbox): readonly HelperMessage[] {
  return handover === undefined ? [] : [{ kind: "stop", key, handover: handover() }];
}

/** A process warning would come too late. */
function sayLeft(sandboxes: readonly LiveSandbox[], error: Error): void {
  const { message } = new CleanupError(
    sandboxes.map(({ sandboxId, tags }) => ({ sandboxId, tags, error })),
  );
  try {
    writeSync(2, `tidybox: ${message}\n`);
  } catch {
    // Nobody listens.
  }
}

import { type CleanupHandlerOptions, processCleanup } from "./process-cleanup.ts";

/**
 * Stops every live sandbox of this process when it ends: at its normal end, `process.exit()`, an
 * uncaught error or rejection, SIGINT, SIGTERM and SIGHUP. Installed by itself with the first sandbox;
 * call it to choose other options, or after {@link removeCleanupHandlers}.
 *
 * Live is what `Sandbox.run` or a session made here or a session has adopted, until it is stopped.
 *
 * @throws ConfigurationError for a limit that cannot be
 */
export function installCleanupHandlers(options: CleanupHandlerOptions = {}): void {
  processCleanup().install(options);
}

/**
 * Takes the handlers away, and keeps them from being installed by themselves: for a process that is
 * looked after otherwise, or whose sandboxes shall outlive it. Safe to call twice.
 */
export function removeCleanupHandlers(): void {
  processCleanup().remove();
}

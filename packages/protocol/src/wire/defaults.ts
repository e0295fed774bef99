/** Image of a sandbox for which nobody named one, in both official SDKs (reference 6.2). */
export const DEFAULT_IMAGE = "python:3.11";

/** Name of the one container that clients send, and their `primary_container`. */
export const MAIN_CONTAINER_NAME = "main";

/** Program of a terminal session. */
export const DEFAULT_SHELL = "/bin/bash";

/** Between SIGTERM and SIGKILL when a caller stops a sandbox without saying. */
export const DEFAULT_STOP_GRACE_SECONDS = 10;

/** For a command, and for a plain call, in the Python SDK; the JavaScript one sets no limit. */
export const DEFAULT_CALL_TIMEOUT_SECONDS = 300;

/** From asking for a snapshot to READY or FAILED. */
export const SNAPSHOT_WAIT_SECONDS = 605;

/** Scratch volume that the convenience option of the SDKs adds, mounted in `main`. */
export const WORKSPACE_VOLUME_NAME = "workspace";

/**
 * Main process of a sandbox that only waits for commands: exits 0 on TERM or INT and never writes
 * anything, because the log of a sandbox is the output of this process.
 *
 * A shell runs a trap only between commands, so the sleep is in the background and `wait`, which a
 * signal does interrupt, is in front. The trap takes the sleep along, so that no stray process is
 * left where no pid namespace ends it. dash would report the killed sleep, hence no stderr.
 * `|| exit` ends the loop with 127, rather than spin, in an image that has no `sleep`.
 */
export const KEEP_ALIVE_COMMAND = [
  "/bin/sh",
  "-c",
  `exec 2>/dev/null; trap 'kill "$!"; exit 0' TERM INT; while :; do sleep 86400 & wait "$!" || exit; done`,
] as const;

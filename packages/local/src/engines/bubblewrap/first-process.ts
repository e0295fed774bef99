import type { ImageRoot } from "./image-root.ts";

/**
 * What bwrap itself runs: forbids user namespaces, says that the sandbox is complete by echoing a
 * line, and lives as long as its standard input.
 *
 * User namespaces are forbidden for good: the sandbox's processes have no capability to give the
 * right back. With one they could make a mount namespace too, leave the sandbox's mounts in there,
 * and then rename the mount points that hold its loader and libraries: a mount point is busy only
 * for whoever has the mount.
 */
const SCRIPT = [
  "echo 0 > /proc/sys/user/max_user_namespaces ||",
  "{ echo 'user namespaces could not be forbidden in the sandbox' >&2; exit 1; }",
  "read -r _; echo; read -r _",
].join("\n");

/** Arguments of bwrap that let the first process, and only that one, set the limit. */
export const FIRST_PROCESS_ARGUMENTS: readonly string[] = [
  // The kernel lets nobody without it write there. It is of no other use in a user namespace, and no
  // process of the sandbox can get it from this one: tracing a process takes all that it may do.
  ...["--cap-add", "CAP_SYS_RESOURCE"],
  // bwrap makes all of /proc/sys read-only.
  ...["--bind", "/proc/sys/user", "/proc/sys/user"],
];

/** The host's shell, with the host's files: nothing of the sandbox's own has run yet. */
export function firstProcess(root: ImageRoot): readonly string[] {
  return [...root.hostProgram("sh"), "-c", SCRIPT];
}

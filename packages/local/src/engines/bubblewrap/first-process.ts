import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { ImageRoot } from "./image-root.ts";

const LOOK_MILLISECONDS = 2000;

/**
 * What bwrap itself runs: forbids user namespaces, says that the sandbox is complete by echoing a
 * line, and lives as long as its standard input.
 *
 * User namespaces are forbidden for good: the sandbox's processes have no capability to give the
 * right back. With one they could make a mount namespace too, leave the sandbox's mounts in there,
 * and then rename the mount points that hold its loader and libraries: a mount point is busy only
 * for whoever has the mount.
 */
const FORBID = [
  "echo 0 > /proc/sys/user/max_user_namespaces ||",
  "{ echo 'user namespaces could not be forbidden in the sandbox' >&2; exit 1; }",
].join("\n");

const ARGUMENTS: readonly string[] = [
  // The kernel lets nobody without it write there. It is of no other use in a user namespace, and no
  // process of the sandbox can get it from this one: tracing a process takes all that it may do.
  ...["--cap-add", "CAP_SYS_RESOURCE"],
  // bwrap makes all of /proc/sys read-only.
  ...["--bind", "/proc/sys/user", "/proc/sys/user"],
];

export interface FirstProcess {
  /** Of bwrap: they let the first process, and only that one, set the limit. */
  readonly args: readonly string[];
  /** The host's programs, with the host's files: nothing of the sandbox's own has run yet. */
  readonly command: (root: ImageRoot) => readonly string[];
}

/** Beside a process 1 of bwrap's own, which reaps what processes of the sandbox leave behind. */
const BESIDE_BWRAP: FirstProcess = {
  args: ARGUMENTS,
  command: (root) => [...root.hostProgram("sh"), "-c", `${FORBID}\nread -r _; echo; read -r _`],
};

/**
 * As process 1 itself: bwrap's own is a quarter of all the memory that an idle sandbox takes. With
 * SIGCHLD ignored the kernel reaps what is left behind. No shell could wait there: dash does not
 * ignore it, whatever it is told.
 */
const ALONE: FirstProcess = {
  args: [...ARGUMENTS, "--as-pid-1"],
  command: (root) => [
    ...[...root.hostProgram("sh"), "-c", `${FORBID}\nexec "$@"`, "sh"],
    ...[...root.hostProgram("env"), "--ignore-signal=CHLD", ...root.hostProgram("cat")],
  ],
};

/** What this host's programs are able to be. */
export async function findFirstProcess(): Promise<FirstProcess> {
  try {
    const options = { timeout: LOOK_MILLISECONDS, env: {} };
    await promisify(execFile)("/usr/bin/env", ["--ignore-signal=CHLD", "/usr/bin/true"], options);
    return ALONE;
  } catch {
    // coreutils before 8.31, or another `env`.
    return BESIDE_BWRAP;
  }
}

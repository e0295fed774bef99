import { withDeadline } from "../../deadline.ts";
import type { HeldProcess, Spawner } from "../../spawner/spawner.ts";
import { collectOutput } from "../collect-output.ts";

const LIMIT_SECONDS = 10;
const SCRIPT = "echo 0 > /proc/sys/user/max_user_namespaces";

/**
 * Takes from a sandbox the right to make user namespaces, for good: its processes have no
 * capability to give it back. With one they could make a mount namespace too, leave the sandbox's
 * mounts in there, and then rename the mount points that hold its loader and libraries: a mount
 * point is busy only for whoever has the mount.
 *
 * Runs the host's shell with the host's files, in nothing of the sandbox but its user namespace;
 * call it before anything of the sandbox's own runs. Throws when the limit could not be set.
 */
export async function forbidUserNamespaces(
  spawner: Spawner,
  nsenter: string,
  held: HeldProcess,
): Promise<void> {
  const spawned = await spawner.spawn({
    file: nsenter,
    args: [
      "--preserve-credentials",
      "-t",
      String(held.innerPid),
      "-U",
      "--",
      "/bin/sh",
      "-c",
      SCRIPT,
    ],
    environment: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
    cwd: "/",
    wantsInput: false,
  });
  try {
    const [stderr, { exitCode }] = await withDeadline(
      Promise.all([
        collectOutput(spawned.stderr, 4096),
        spawned.exited,
        collectOutput(spawned.stdout, 0),
      ]),
      LIMIT_SECONDS,
      () => new Error(`forbidding user namespaces took longer than ${LIMIT_SECONDS} s`),
    );
    if (exitCode === 0) return;
    const said = stderr.bytes.toString().trim() || `exit code ${exitCode}`;
    throw new Error(`user namespaces could not be forbidden in the sandbox: ${said}`);
  } catch (error) {
    spawned.signal("SIGKILL");
    throw error;
  } finally {
    spawned.stdout.close();
    spawned.stderr.close();
  }
}

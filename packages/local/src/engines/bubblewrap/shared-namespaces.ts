import type { SandboxPlan } from "../engine.ts";

/** Arguments of bwrap for the namespaces that all containers of a sandbox share. */
export function ownNamespaces(plan: SandboxPlan, hostname: string): readonly string[] {
  return [
    ...["--unshare-user", "--uid", "0", "--gid", "0"],
    ...["--unshare-ipc", "--unshare-uts", "--hostname", hostname],
    ...(plan.denyEgress ? ["--unshare-net"] : []),
  ];
}

/**
 * Words before the bwrap of another container: they enter what the first one has made. In its user
 * namespace bwrap may make all other namespaces (the limit of processes then holds for all containers
 * together). It still sees the host's files, like the first one's bwrap: nothing may run in the
 * sandbox before it is done.
 */
export function entryBeside(
  nsenter: string,
  innerPid: number,
  plan: SandboxPlan,
): readonly string[] {
  return [
    ...[nsenter, "--preserve-credentials", "-t", String(innerPid), "-U", "-u", "-i"],
    ...(plan.denyEgress ? ["-n"] : []),
    "--",
  ];
}

import { readFileSync } from "node:fs";

/** What a person can do about a bwrap that does not work here (local-engine.md, 1.4). */
export function bubblewrapRemedy(reason: string): string {
  if (/userns|uid map|RTM_NEWADDR|Permission denied/i.test(reason) && appArmorForbids()) {
    return (
      "AppArmor forbids user namespaces here. In CI run `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` " +
      "before the tests; on a workstation give /usr/bin/bwrap an AppArmor profile with `flags=(unconfined) { userns, }`."
    );
  }
  if (/No permissions to create( a)? new namespace|pivot_root/i.test(reason)) {
    return (
      "This looks like a container whose seccomp profile forbids namespaces: start it with " +
      "`--security-opt seccomp=unconfined --security-opt systempaths=unconfined`."
    );
  }
  if (/mount proc on/i.test(reason)) {
    return "This container masks /proc: start it with `--security-opt systempaths=unconfined` as well.";
  }
  if (/Resource temporarily unavailable|No space left|namespaces exceeded/i.test(reason)) {
    return "A limit of processes or namespaces is reached: see `ulimit -u` and /proc/sys/user/max_user_namespaces.";
  }
  return "Run `bwrap --unshare-user --ro-bind / / true` to see whether bubblewrap works at all on this machine.";
}

export const INSTALL_REMEDY =
  "Install it: `apt-get install bubblewrap util-linux` or `dnf install bubblewrap util-linux`.";

function appArmorForbids(): boolean {
  try {
    const path = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
    return readFileSync(path, "latin1").trim() === "1";
  } catch {
    return false;
  }
}

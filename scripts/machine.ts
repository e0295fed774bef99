import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { runCommand } from "./command.ts";

/** What the machine offers to isolate sandboxes with. */
export type Isolation = "bubblewrap" | "process";

/**
 * Makes sure that bubblewrap is there, the local backend's stronger engine: installs it where
 * that needs nobody's permission (root on Debian or Ubuntu), names the one command elsewhere.
 * Never fails: without it everything runs on the weaker process engine, and this says so.
 * `TIDYBOX_SKIP_INSTALL=1` installs nothing.
 */
export async function prepareMachine(signal?: AbortSignal): Promise<Isolation> {
  if (process.platform !== "linux") {
    return weaker(`bubblewrap needs Linux, and this is ${process.platform}`);
  }
  if (!(await onPath("bwrap"))) {
    const reason = await install(signal);
    if (reason !== undefined) return weaker(reason);
  }
  return probe(signal);
}

/** Undefined once bubblewrap is installed, else why it is not. */
async function install(signal?: AbortSignal): Promise<string | undefined> {
  const apt = await onPath("apt-get");
  const dnf = await onPath("dnf");
  if (process.env["TIDYBOX_SKIP_INSTALL"] === "1") {
    return "bubblewrap is missing and TIDYBOX_SKIP_INSTALL=1 keeps it from being installed";
  }
  if (process.getuid?.() !== 0 || !apt) {
    if (apt) return "bubblewrap is missing; get it with: sudo apt-get install bubblewrap";
    if (dnf) return "bubblewrap is missing; get it with: sudo dnf install bubblewrap";
    return "bubblewrap is missing; get it from this system's packages, named bubblewrap";
  }
  console.log("machine  installing bubblewrap (apt-get install bubblewrap)");
  const aptGet = (timeoutSeconds: number, ...args: readonly string[]) =>
    runCommand("apt-get", args, {
      timeoutSeconds,
      environment: { DEBIAN_FRONTEND: "noninteractive" },
      ...(signal === undefined ? {} : { signal }),
    });
  const installArguments = ["install", "-y", "--no-install-recommends", "bubblewrap"];
  // Fails at once where the package lists are missing, as in most container images.
  let result = await aptGet(120, ...installArguments);
  if (!result.ok) {
    await aptGet(90, "update");
    result = await aptGet(90, ...installArguments);
  }
  if (result.ok && (await onPath("bwrap"))) return undefined;
  const lastLine = result.output.trim().split("\n").at(-1) ?? "";
  return `bubblewrap could not be installed: ${result.problem || "no bwrap afterwards"}. ${lastLine}`;
}

/** Being installed is not being allowed to: containers and AppArmor often forbid user namespaces. */
async function probe(signal?: AbortSignal): Promise<Isolation> {
  const args = [
    "--unshare-user",
    "--unshare-pid",
    "--ro-bind",
    "/",
    "/",
    "--proc",
    "/proc",
    "true",
  ];
  const result = await runCommand("bwrap", args, {
    timeoutSeconds: 10,
    ...(signal === undefined ? {} : { signal }),
  });
  if (result.ok) return "bubblewrap";
  const told = result.output.trim().split("\n").at(-1) ?? "";
  return weaker(
    `bubblewrap is installed but may not run here: ${told || result.problem} (on Ubuntu 24.04: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0)`,
  );
}

function weaker(reason: string): Isolation {
  console.log(`machine  ${reason}; going on with the process engine, which isolates less`);
  return "process";
}

async function onPath(program: string): Promise<boolean> {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const found = await access(join(folder, program), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}

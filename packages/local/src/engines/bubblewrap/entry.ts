import type { SandboxPlan } from "../engine.ts";
import type { ImageRoot } from "./image-root.ts";
import { limitedProcesses } from "./process-limit.ts";
import { workingDirectoryMoved } from "./working-directory.ts";

/**
 * Variables that the loader and the C library of nsenter and setpriv would obey on their way in,
 * where nsenter still sees the host's files. They are set inside instead, for the command only.
 */
export const OBEYED_BY_LIBRARIES =
  /^(LANGUAGE|LD_.*|GCONV_PATH|GETCONF_DIR|GLIBC_TUNABLES|HOSTALIASES|LOCALDOMAIN|LOCPATH|MALLOC_.*|MUSL_LOCPATH|NLSPATH|RESOLV_HOST_CONF|RES_OPTIONS|TZDIR)$/;

/** What leads into a sandbox; the command's words go behind `args`. */
export interface Entry {
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** All that a command finds in its environment. */
export function environmentOf(
  plan: SandboxPlan,
  root: ImageRoot,
  variables: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const usual = { PATH: root.path, HOME: "/root", LANG: "C.UTF-8" };
  return { ...usual, ...plan.environment, ...variables };
}

/** Words of programs of the host that an entry goes through; each becomes the next. */
interface EntryWords {
  /** Runs inside, without capabilities, and becomes the command. Default: nothing. */
  readonly last: readonly string[];
  /** Limits the processes of what comes after it. Nothing where the command does that by itself. */
  readonly limit: readonly string[];
}

/** Arguments of nsenter, and the environment to run it with. */
export function entryOf(
  { plan, root }: { readonly plan: SandboxPlan; readonly root: ImageRoot },
  innerPid: number,
  environment: Readonly<Record<string, string>>,
  { last = [], limit = limitedProcesses(root) }: Partial<EntryWords> = {},
): Entry {
  const outside: Record<string, string> = {};
  const inside: string[] = [];
  for (const [name, value] of Object.entries(environment)) {
    if (OBEYED_BY_LIBRARIES.test(name)) inside.push(`${name}=${value}`);
    else outside[name] = value;
  }
  return {
    environment: outside,
    args: [
      ...["--preserve-credentials", "-t", String(innerPid), "-U", "-m", "-u", "-i"],
      ...(plan.denyEgress ? ["-n"] : []),
      ...["-p", "-C", "-w", "--"],
      ...(workingDirectoryMoved(innerPid, plan.workingDirectory)
        ? [...root.hostProgram("env"), "-C", plan.workingDirectory]
        : []),
      ...limit,
      // nsenter alone has every capability of the sandbox's user namespace: it could remount a
      // read-only bind and write to the host's files.
      ...root.hostProgram("setpriv"),
      ...["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--"],
      ...last,
      ...(inside.length > 0 ? [...root.hostProgram("env"), ...inside] : []),
    ],
  };
}

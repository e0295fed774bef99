import { statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { type Connection, Sandbox, SandboxClosedError } from "@tidybox/client";
import type { LocalNotice, LocalService } from "@tidybox/local";
import type { Finding } from "./report.ts";

type EngineName = LocalService["engine"];

const LIFETIME_SECONDS = 60;
const START_SECONDS = 60;
const COMMAND_SECONDS = 20;

const MEMORY = { limit: "64Mi", takenBytes: 256 * 1024 * 1024 };

/** By SIGKILL, as a shell says it. */
const KILLED = 137;

const FROM_OUTSIDE =
  "Bound the whole run from outside (a container, systemd-run -p CPUQuota=… -p MemoryMax=…) where it matters.";

/** What holds a sandbox back on this machine: tried where it can be, said where it cannot. */
export async function limitFindings(
  connection: Connection,
  engine: EngineName,
  image: string,
  notices: readonly LocalNotice[],
): Promise<readonly Finding[]> {
  const notice = notices.find(({ code }) => code === "resources_not_enforced")?.message ?? "";
  const held = (what: "cpu" | "memory"): boolean => !notice.split(" of ")[0]?.includes(what);
  return [
    held("memory") ? await triedMemory(connection, image) : notHeld("memory", engine),
    held("cpu") ? cpuHeld(engine) : notHeld("cpu", engine),
    disk(engine),
  ];
}

/** A sandbox that takes more than it may. */
async function triedMemory(connection: Connection, image: string): Promise<Finding> {
  const name = "memory limit";
  const { limit, takenBytes } = MEMORY;
  try {
    await using sandbox = await Sandbox.run({
      connection,
      containerImage: image,
      resources: { memory: limit },
      maxLifetimeSeconds: LIFETIME_SECONDS,
      startTimeoutSeconds: START_SECONDS,
    });
    // tail keeps all that may be its last bytes, and something of it lives long enough to be seen.
    const script = `(head -c ${takenBytes} /dev/zero; sleep 5) | tail -c ${takenBytes} >/dev/null`;
    const ended = await sandbox
      .exec(["/bin/sh", "-c", script], { timeoutSeconds: COMMAND_SECONDS })
      .then(
        ({ exitCode }) => exitCode,
        (error: unknown) => {
          if (error instanceof SandboxClosedError) return KILLED;
          throw error;
        },
      );
    if (ended === KILLED)
      return {
        name,
        state: "ok",
        detail: `enforced: a sandbox with ${limit} was ended when it took more`,
      };
    const detail =
      ended === 0
        ? `a sandbox with ${limit} took ${takenBytes / 1024 / 1024} MiB and was not ended`
        : `could not be tried: a command that takes memory ended with ${ended}`;
    return { name, state: "weaker", detail, remedy: FROM_OUTSIDE };
  } catch (error) {
    return { name, state: "weaker", detail: `could not be tried: ${oneLine(error)}` };
  }
}

function cpuHeld(engine: EngineName): Finding {
  const detail = `enforced by the engine ${engine} (not tried)`;
  return { name: "cpu limit", state: "ok", detail };
}

function notHeld(what: "cpu" | "memory", engine: EngineName): Finding {
  const why =
    engine === "process"
      ? "the engine process only starts processes"
      : `the engine ${engine} uses no control groups`;
  return {
    name: `${what} limit`,
    state: "weaker",
    detail: `accepted and reported, not enforced: ${why}`,
    remedy: `${FROM_OUTSIDE} The engine docker enforces it.`,
  };
}

/** In the sandbox that is tried anyway. */
export async function processLimit(sandbox: Sandbox, engine: EngineName): Promise<Finding> {
  const name = "process limit";
  if (engine === "process") {
    const detail = "not enforced: a fork bomb in a sandbox is one of this account";
    return { name, state: "weaker", detail, remedy: "Use the engine bubblewrap or docker." };
  }
  const script =
    engine === "docker"
      ? "cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null"
      : "cat /proc/self/limits";
  const { stdout } = await sandbox.exec(["/bin/sh", "-c", script], {
    timeoutSeconds: COMMAND_SECONDS,
  });
  const most = /^(?:Max processes\s+)?(\d+)/m.exec(stdout)?.[1];
  if (most !== undefined)
    return { name, state: "ok", detail: `a sandbox has at most ${most} processes and threads` };
  const remedy = "Install util-linux (apt-get install util-linux), for prlimit.";
  return {
    name,
    state: "weaker",
    detail: "a sandbox says that it has none",
    ...(engine === "bubblewrap" && { remedy }),
  };
}

function disk(engine: EngineName): Finding {
  const name = "disk limit";
  if (engine === "docker") {
    const detail = "not enforced: what sandboxes write is where Docker has its containers";
    const remedy = "Give Docker a file system of its own, or a quota, where it matters.";
    return { name, state: "weaker", detail, remedy };
  }
  const folder = tmpdir();
  const { bavail, bsize } = statfsSync(folder);
  return {
    name,
    state: "weaker",
    detail: `not enforced, except for volumes in memory: sandboxes write to ${folder}, which has ${(
      (bavail * bsize) /
      1024 ** 3
    ).toFixed(1)} GiB left`,
    remedy: "Point TMPDIR to a file system of its own, or with a quota, where it matters.",
  };
}

function oneLine(error: unknown): string {
  return error instanceof Error ? error.message.replaceAll("\n", " ") : String(error);
}

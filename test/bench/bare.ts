import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, lstatSync, readlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";

interface Spawned {
  readonly code: number | null;
  readonly ms: number;
}

/** Spawns commands from a small process and says how long each took. */
export interface BareSpawner extends Disposable {
  /** Milliseconds from spawn to close, as the small process saw them. @throws on a failing command. */
  run(argv: readonly string[]): Promise<number>;
}

export function startBareSpawner(): BareSpawner {
  const child = fork(fileURLToPath(new URL("bare-spawner.ts", import.meta.url)), {
    stdio: "inherit",
  });
  return {
    run: async (argv) => {
      child.send(argv);
      const [answer] = (await once(child, "message")) as [Spawned];
      if (answer.code !== 0) throw new Error(`${argv.join(" ")} ended with ${answer.code}`);
      return answer.ms;
    },
    [Symbol.dispose]: () => child.disconnect(),
  };
}

/** A bare bubblewrap with the isolation that the engine gives a sandbox, for one command. */
export function bareBubblewrap(command: readonly string[], denyEgress: boolean): readonly string[] {
  const links = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"].flatMap((path) => {
    if (!existsSync(path)) return [];
    return lstatSync(path).isSymbolicLink()
      ? ["--symlink", readlinkSync(path), path]
      : ["--ro-bind", path, path];
  });
  return [
    "bwrap",
    ...[
      "--unshare-user",
      "--uid",
      "0",
      "--gid",
      "0",
      "--unshare-pid",
      "--unshare-ipc",
      "--unshare-uts",
      "--unshare-cgroup",
    ],
    ...(denyEgress ? ["--unshare-net"] : []),
    ...[
      "--hostname",
      "bare",
      "--die-with-parent",
      "--new-session",
      "--cap-drop",
      "ALL",
      "--clearenv",
    ],
    ...["--setenv", "PATH", "/usr/bin:/bin", "--ro-bind", "/usr", "/usr", ...links],
    ...[
      "--proc",
      "/proc",
      "--dev",
      "/dev",
      "--tmpfs",
      "/dev/shm",
      "--tmpfs",
      "/run",
      "--tmpfs",
      "/etc",
    ],
    ...[
      "--tmpfs",
      "/var",
      "--tmpfs",
      "/root",
      "--tmpfs",
      "/tmp",
      "--tmpfs",
      "/workspace",
      "--chdir",
      "/workspace",
      "--",
    ],
    ...command,
  ];
}
